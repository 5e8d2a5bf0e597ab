"""Cycles of a four-stage RV32IMC core at zero wait states: a guess, for no program was compared with a real one.

Espressif publishes no cycle counts of the ESP32-C3. The rules are those that the user manual of CV32E40P (OpenHW Group,
"Pipeline Details") gives for a pipeline of as many stages that takes jumps and branches at the same places: one cycle
for an instruction, one more where it reads what the load just before it loads, five for the high word of a product, 35
at most for a division, two for a jump, three for a branch that is taken. A division on an ESP32-C3 was seen to take
some 34. Loads on their way at the end of a block are taken to be there in time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from midge.measure.timing import BlockCost, Unaligned

# Unaligned accesses work on some of these cores, at a cost that nobody knows.
UNALIGNED = Unaligned(halfword=0, word_at_halfword=0, word_at_byte=0)

_HIGH_PRODUCT, _DIVISION, _JUMP, _TAKEN = 5, 35, 2, 3
_SP = 2


@dataclass(frozen=True)
class _Step:
    """One instruction: registers that it reads, the one that it loads, its cycles, and those when it branches away."""

    reads: tuple[int, ...] = ()
    loads: int | None = None
    cycles: int = 1
    taken: int | None = None


def block_costs(code: bytes, address: int) -> BlockCost:
    """The cost of one pass through `code`, whole instructions: 2 bytes long unless their two lowest bits are 11 (ISA
    manual, 1.5)."""
    count = cycles = 0
    loaded: int | None = None
    last = _Step()
    for last in _steps(code):
        count += 1
        cycles += last.cycles + (loaded is not None and loaded in last.reads)
        loaded = last.loads or None
    taken = cycles if last.taken is None else cycles - last.cycles + last.taken
    return BlockCost(count, cycles, taken)


def _steps(code: bytes) -> Iterator[_Step]:
    at = 0
    while at < len(code):
        if code[at] & 3 == 3:
            yield _long(int.from_bytes(code[at : at + 4], "little"))
            at += 4
        else:
            yield _short(int.from_bytes(code[at : at + 2], "little"))
            at += 2


def _long(word: int) -> _Step:
    """A 32-bit instruction, by its opcode (ISA manual, table 19.1)."""
    rd, rs1, rs2, funct3 = word >> 7 & 31, word >> 15 & 31, word >> 20 & 31, word >> 12 & 7
    match word & 0x7F:
        case 0x03:
            return _Step((rs1,), loads=rd)
        case 0x23:
            return _Step((rs1, rs2))
        case 0x63:
            return _Step((rs1, rs2), taken=_TAKEN)
        case 0x6F:
            return _Step(cycles=_JUMP)
        case 0x67:
            return _Step((rs1,), cycles=_JUMP)
        case 0x33 if word >> 25 == 1:
            return _Step((rs1, rs2), cycles=1 if funct3 == 0 else _HIGH_PRODUCT if funct3 < 4 else _DIVISION)
        case 0x33:
            return _Step((rs1, rs2))
        case 0x13:
            return _Step((rs1,))
    return _Step()


def _short(half: int) -> _Step:
    """A 16-bit instruction, by quadrant and upper three bits (ISA manual, tables 12.4 to 12.6)."""
    rd, rs2, low, lower = half >> 7 & 31, half >> 2 & 31, 8 + (half >> 7 & 7), 8 + (half >> 2 & 7)
    match half & 3, half >> 13:
        case (0, 0):
            return _Step((_SP,))
        case (0, 2):
            return _Step((low,), loads=lower)
        case (0, 6):
            return _Step((low, lower))
        case (1, 0) | (2, 0):
            return _Step((rd,))
        case (1, 1) | (1, 5):
            return _Step(cycles=_JUMP)
        case (1, 3):
            return _Step((_SP,) if rd == _SP else ())
        case (1, 4):
            return _Step((low, lower) if half >> 10 & 3 == 3 else (low,))
        case (1, 6) | (1, 7):
            return _Step((low,), taken=_TAKEN)
        case (2, 2):
            return _Step((_SP,), loads=rd)
        case (2, 4) if rs2 == 0:
            return _Step((rd,), cycles=_JUMP)
        case (2, 4):
            return _Step((rd, rs2) if half >> 12 & 1 else (rs2,))
        case (2, 6):
            return _Step((_SP, rs2))
    return _Step()
