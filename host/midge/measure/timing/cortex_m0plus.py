"""Cycles of the Cortex-M0+ at zero wait states, from its Technical Reference Manual (Arm DDI 0484, table 3-1).

Two stages and one bus, so costs simply add up: loads and stores 2, of N registers 1 + N, taken branches 2. The
multiplier is the single-cycle one, as in RP2040 and SAMD21; the other that Arm offers takes 32 cycles.
Not counted: waiting for flash, and fetches that compete with data on the one bus where memory is slower than the core.
"""

from __future__ import annotations

from midge.measure.timing import BlockCost, Unaligned
from midge.measure.timing.thumb import Instruction, decode

# They fault.
UNALIGNED = Unaligned(halfword=0, word_at_halfword=0, word_at_byte=0)
_LOAD, _STORE = 2, 2
# POP with PC: 3 + N, N counting PC.
_INTO_PC = 2
_FIXED = dict.fromkeys(("mrs", "msr", "dmb", "dsb", "isb"), 3) | {"bl": 3, "b": 2, "bx": 2, "blx": 2}


def block_costs(code: bytes, address: int) -> BlockCost:
    """The cost of one pass through `code`, whole Thumb instructions that lie at `address`."""
    steps = decode(code, address)
    taken = sum(map(_cycles, steps))
    # Not taken, a conditional branch costs 1.
    skipped = taken - 1 if steps and steps[-1].conditional else taken
    return BlockCost(len(steps), skipped, taken)


def _cycles(step: Instruction) -> int:
    if step.kind in ("load", "store"):
        return _LOAD if step.kind == "load" else _STORE
    if step.kind in ("load many", "store many"):
        return 1 + step.words + _INTO_PC * ("pc" in step.writes)
    if step.kind == "compute" and "pc" in step.writes:
        return 2
    return _FIXED.get(step.name, 1)
