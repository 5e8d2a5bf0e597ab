"""Which accesses of a block may be unaligned, as sums of registers at its entry: what a cost per block cannot know.

Only the lowest two bits of an address matter, so registers are followed through additions, moves and left shifts modulo
4. The stack pointer and literals are aligned. An address that a block itself has loaded, or computed otherwise, stays
unknown; such accesses are counted but not checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from midge.measure.timing.thumb import Instruction, decode

Kind = Literal["halfword", "word", "strict"]
# A sum modulo 4 of registers as they are at the block's entry, by name; "" is the constant 1. None: not known.
_Sum = Mapping[str, int] | None
_ALIGNED_REGISTERS = ("sp", "pc")
_MOST_REGISTERS = 2


@dataclass(frozen=True)
class Access:
    """A load of a halfword or word, or (`strict`) an access that faults unless it is word-aligned: LDM, STM, LDRD, STRD
    and the FPU's. Its address modulo 4: `constant` plus `registers` times their factors."""

    kind: Kind
    registers: tuple[tuple[str, int], ...]
    constant: int


def accesses(code: bytes, address: int) -> tuple[tuple[Access, ...], int]:
    """The accesses of `code`, whole instructions at `address`, that can be unaligned; and how many stay unknown."""
    known: dict[str, _Sum] = {}
    found, unknown = [], 0
    for step in decode(code, address):
        kind = _kind(step)
        if kind is not None:
            where = _address(step, known, kind)
            if where is None:
                unknown += 1
            elif where:
                constant = where.pop("", 0)
                found.append(Access(kind, tuple(sorted(where.items())), constant))
        _follow(step, known)
    return tuple(found), unknown


def _kind(step: Instruction) -> Kind | None:
    """None for what is always aligned, or costs nothing when it is not."""
    if step.base == "pc" or step.kind in ("compute", "branch", "table", "it"):
        return None
    if step.kind not in ("load", "store") or step.is_float:
        return "strict"
    if step.kind == "store" or step.name in ("ldrb", "ldrsb", "ldrbt", "ldrsbt"):
        return None
    return "halfword" if step.name.startswith(("ldrh", "ldrsh")) else "word"


def _address(step: Instruction, known: Mapping[str, _Sum], kind: Kind) -> dict[str, int] | None:
    """The sum that an access goes to, empty when it is aligned."""
    terms = [(step.base, 1), ("", step.offset)]
    if step.index:
        terms.append((step.index, 1 << step.index_shift))
    where = _added(terms, known)
    if where is None:
        return None
    modulus = 2 if kind == "halfword" else 4
    left = {name: factor % modulus for name, factor in where.items() if factor % modulus}
    return left if len(left) <= _MOST_REGISTERS + ("" in left) else None


def _follow(step: Instruction, known: dict[str, _Sum]) -> None:
    """What the registers hold behind an instruction."""
    after: dict[str, _Sum] = dict.fromkeys(step.writes)
    if step.updates:
        after[step.base] = _added([(step.base, 1), ("", step.step)], known)
    elif step.sum is not None and len(step.writes - {"cpsr"}) == 1:
        (register,) = step.writes - {"cpsr"}
        after[register] = _added(step.sum, known)
    known |= after


def _added(terms: list[tuple[str, int]] | tuple[tuple[str, int], ...], known: Mapping[str, _Sum]) -> _Sum:
    total: dict[str, int] = {}
    for name, factor in terms:
        if factor % 4 == 0 or name in _ALIGNED_REGISTERS:
            continue
        value = {name: 1} if name == "" else known.get(name, {name: 1})
        if value is None:
            return None
        for register, times in value.items():
            total[register] = (total.get(register, 0) + factor * times) % 4
    return {name: factor for name, factor in total.items() if factor}
