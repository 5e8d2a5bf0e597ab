"""Thumb code taken apart for the cycle models: what each instruction reads, writes, addresses and branches to.

Decoded by capstone; what it leaves out (sources of DSP instructions, accumulators of long multiplies) is filled in
from the operands. An instruction that it does not know counts as one that computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from midge.errors import MissingExtraError

Kind = Literal[
    "compute", "load", "store", "load pair", "store pair", "load many", "store many", "branch", "table", "it"
]
NOTHING: frozenset[str] = frozenset()
# Far enough from both ends of the memory for any branch.
_SOMEWHERE = 0x2000_0000

_MULTIPLE = {"ldm": "load many", "ldmdb": "load many", "pop": "load many"} | {
    **dict.fromkeys(("stm", "stmdb", "push"), "store many"),
    **dict.fromkeys(("vldmia", "vldmdb", "vpop"), "load many"),
    **dict.fromkeys(("vstmia", "vstmdb", "vpush"), "store many"),
}
_BRANCHES = {"b", "bl", "blx", "bx", "cbz", "cbnz"}
_LONG_ACCUMULATES = ("smlal", "umlal", "smlsld", "umaal")
_TWO_RESULTS = ("smull", "umull", *_LONG_ACCUMULATES)
_ACCUMULATES = ("mla", "mls", "smla", "smls", "smmla", "smmls")
_MULTIPLIES = ("mul", "mla", "mls", "smla", "smls", "smm", "smu", "umul", "umla", "umaal")


@dataclass(frozen=True)
class Instruction:
    """One Thumb instruction. Registers go by their names (`r0`, `sp`, `s1`; r9 is `sb`, as capstone has it).

    `address`: the registers that make up a memory address: `base` (`pc` for a literal), `index` shifted left by
    `index_shift`, and beside them the constant `offset`. `updates`: the base is written back, `step` more than before.
    `words` are moved by a load or store of many. `sum`: what an addition, move or left shift leaves, as registers (""
    is the constant 1) and their factors. `accumulator`: sources that a multiply adds to. `shifted`: sources that go
    through the shifter first. `target` of a direct branch. `it_length`: how many instructions an IT makes conditional.
    """

    name: str
    kind: Kind = "compute"
    wide: bool = False
    reads: frozenset[str] = NOTHING
    writes: frozenset[str] = NOTHING
    address: frozenset[str] = NOTHING
    base: str = ""
    index: str = ""
    index_shift: int = 0
    offset: int = 0
    updates: bool = False
    step: int = 0
    words: int = 0
    sum: tuple[tuple[str, int], ...] | None = None
    accumulator: frozenset[str] = NOTHING
    shifted: frozenset[str] = NOTHING
    sets_flags: bool = False
    target: int | None = None
    conditional: bool = False
    it_length: int = 0

    @property
    def branches(self) -> bool:
        """Whether it can go elsewhere."""
        return self.kind in ("branch", "table") or "pc" in self.writes

    @property
    def is_multiply(self) -> bool:
        """An integer multiply, with or without an accumulator."""
        return self.name.startswith(_MULTIPLIES)

    @property
    def is_float(self) -> bool:
        """One of the FPU's."""
        return self.name.startswith("v")


def decode(code: bytes, address: int) -> tuple[Instruction, ...]:
    """The instructions of `code`, whole ones that lie at `address`.

    Raises MissingExtraError: capstone is not installed.
    """
    found, moved = _decoded_somewhere(code), address - _SOMEWHERE
    return tuple(i if i.target is None else replace(i, target=i.target + moved) for i in found)


@lru_cache(maxsize=2048)
def _decoded_somewhere(code: bytes) -> tuple[Instruction, ...]:
    """The instructions at an address that serves for all: code comes again, elsewhere and in other firmware."""
    return tuple(_decoded(code, _SOMEWHERE))


def _decoded(code: bytes, address: int) -> Iterator[Instruction]:
    decoded = {i.address - address: i for i in _disassembler().disasm(code, address)}
    at = 0
    while at < len(code):
        first = int.from_bytes(code[at : at + 2], "little")
        bytes_ = 4 if first >> 11 in (0b11101, 0b11110, 0b11111) else 2
        second = int.from_bytes(code[at + 2 : at + 4], "little") if bytes_ == 4 else 0
        # The disassembler stops at what it does not know: go on behind it.
        if at not in decoded:
            rest = _disassembler().disasm(code[at + bytes_ :], address + at + bytes_)
            decoded |= {i.address - address: i for i in rest}
        known = decoded.get(at)
        yield _instruction(known, first, second) if known is not None else Instruction("unknown", wide=bytes_ == 4)
        at += bytes_


def _instruction(raw: Any, first: int, second: int) -> Instruction:
    name, wide = raw.insn_name(), raw.size == 4
    read, written = (frozenset(raw.reg_name(r) for r in group) for group in raw.regs_access())
    conditional = raw.cc not in (0, 15)
    if name == "it":
        mask = first & 0xF
        return Instruction(name, "it", it_length=4 - ((mask & -mask).bit_length() - 1))
    if name.startswith("tb"):
        return Instruction(name, "table", wide, read, frozenset({"pc"}), address=read - {"pc"})
    if name in _BRANCHES:
        target = raw.operands[-1]
        direct = target.imm if target.type == _operand_types().ARM_OP_IMM else None
        unsure = conditional or name in ("cbz", "cbnz")
        return Instruction(name, "branch", wide, read, written, target=direct, conditional=unsure)
    if name in _MULTIPLE:
        base = "sp" if name.endswith(("push", "pop")) else raw.reg_name(raw.operands[0].reg)
        words = second & 0xFF if name.startswith("v") else _registers_listed(first, second)
        kind: Any = _MULTIPLE[name]
        # Capstone takes the base for written only where it lists it, and PUSH and POP always do.
        updates = bool(raw.writeback) or base == "sp"
        into = written | {base} if updates else written
        # `step` stays 0: it is a multiple of four, and nobody asks for more.
        return Instruction(
            *(name, kind, wide, read, into, frozenset({base}), base),
            updates=updates,
            words=words,
            conditional=conditional,
        )
    memory = [o.mem for o in raw.operands if o.type == _operand_types().ARM_OP_MEM]
    if memory and name != "pld":
        return _access(raw, name, memory[0], read, written, conditional)
    return _computation(raw, name, read, written, conditional)


def _access(
    raw: Any, name: str, memory: Any, read: frozenset[str], written: frozenset[str], conditional: bool
) -> Instruction:
    """A load or store of one or two registers."""
    types = _operand_types()
    base = raw.reg_name(memory.base)
    index = raw.reg_name(memory.index) if memory.index else ""
    loads = name.startswith(("ldr", "vldr"))
    pair = name in ("ldrd", "strd") or (name in ("vldr", "vstr") and raw.reg_name(raw.operands[0].reg)[0] == "d")
    kind: Kind = ("load pair" if pair else "load") if loads else ("store pair" if pair else "store")
    updates, last = bool(raw.writeback), raw.operands[-1]
    # Behind the memory operand stands what a post-indexed access adds afterwards.
    step = (-last.imm if last.subtracted else last.imm) if last.type == types.ARM_OP_IMM else memory.disp
    where = next(o for o in raw.operands if o.type == types.ARM_OP_MEM)
    return Instruction(
        *(name, kind, raw.size == 4, read, written | {base} if updates else written),
        address=frozenset({base, index}) - {"pc", ""},
        base=base,
        index=index,
        index_shift=where.shift.value if where.shift.type == types.ARM_SFT_LSL else 0,
        offset=memory.disp,
        updates=updates,
        step=step if updates else 0,
        words=2 if pair else 1,
        conditional=conditional,
    )


def _computation(raw: Any, name: str, read: frozenset[str], written: frozenset[str], conditional: bool) -> Instruction:
    types = _operand_types()
    registers = [o for o in raw.operands if o.type == types.ARM_OP_REG]
    results = 2 if name.startswith(_TWO_RESULTS) or (name == "vmov" and len(raw.operands) >= 3) else 1
    sources = {raw.reg_name(o.reg) for o in registers[results:]}
    accumulator: set[str] = set()
    if name.startswith(_LONG_ACCUMULATES):
        accumulator = {raw.reg_name(o.reg) for o in registers[:2]}
    elif name.startswith(_ACCUMULATES) and len(registers) == 4:
        accumulator = {raw.reg_name(registers[3].reg)}
    shifted = {raw.reg_name(o.reg) for o in registers if o.shift.type != types.ARM_SFT_INVALID and o.shift.value}
    return Instruction(
        name,
        "compute",
        raw.size == 4,
        read | sources | accumulator,
        written,
        words=len(registers) if name == "vmov" else 0,
        sum=None if conditional else _sum(raw, name),
        accumulator=frozenset(accumulator),
        shifted=frozenset(shifted),
        sets_flags=bool(raw.update_flags) or name in ("cmp", "cmn", "tst", "teq"),
        conditional=conditional,
    )


def _sum(raw: Any, name: str) -> tuple[tuple[str, int], ...] | None:
    """What a computation adds up; None for one that does something else."""
    types, operands = _operand_types(), list(raw.operands)
    if name == "lsl" and len(operands) == 3 and operands[2].type == types.ARM_OP_IMM:
        return ((raw.reg_name(operands[1].reg), 1 << operands[2].imm),)
    if name == "movt":
        return ((raw.reg_name(operands[0].reg), 1), ("", operands[1].imm << 16))
    if name == "vmov" and len(operands) == 2 and operands[1].type == types.ARM_OP_REG:
        # A register kept in one of the FPU's.
        return ((raw.reg_name(operands[1].reg), 1),)
    if name not in ("add", "addw", "sub", "subw", "mov", "movw"):
        return None
    sources = operands[1:] if name.startswith("mov") or len(operands) == 3 else operands
    terms = []
    for place, source in enumerate(sources):
        sign = -1 if name.startswith("sub") and place == 1 else 1
        if source.type == types.ARM_OP_IMM:
            terms.append(("", sign * source.imm))
        elif source.shift.value and source.shift.type != types.ARM_SFT_LSL:
            return None
        else:
            terms.append((raw.reg_name(source.reg), sign << source.shift.value))
    return tuple(terms)


def _registers_listed(first: int, second: int) -> int:
    """How many registers an LDM, STM, PUSH or POP moves: bits of its register list."""
    if first >> 11 in (0b11101, 0b11110, 0b11111):
        return second.bit_count()
    extra = first >> 8 & 1 if first >> 12 == 0xB else 0
    return (first & 0xFF).bit_count() + extra


@lru_cache
def _disassembler() -> Any:
    try:
        import capstone
    except ImportError as error:
        raise MissingExtraError(
            "cycle counting needs the capstone package", hint='pip install "midge[emulator]"'
        ) from error
    disassembler = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    disassembler.detail = True
    return disassembler


@lru_cache
def _operand_types() -> Any:
    from capstone import arm

    return arm
