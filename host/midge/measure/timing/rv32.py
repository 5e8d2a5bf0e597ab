"""RV32IMC without a cycle model: each instruction counts one, so that what is called cycles are instructions."""

from __future__ import annotations

from midge.measure.timing import BlockCost, Unaligned

# Unaligned accesses work on some of these cores, at a cost that nobody knows.
UNALIGNED = Unaligned(halfword=0, word_at_halfword=0, word_at_byte=0)


def block_costs(code: bytes, address: int) -> BlockCost:
    """The instructions of `code`, whole ones: 2 bytes long unless their two lowest bits are 11 (ISA manual, 1.5)."""
    at = count = 0
    while at < len(code):
        at += 4 if code[at] & 3 == 3 else 2
        count += 1
    return BlockCost(count, count, count)
