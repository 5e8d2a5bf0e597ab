"""Cycles of the Cortex-M3 at zero wait states, from its Technical Reference Manual: see `three_stage`.

MLA and MLS take 2 cycles. Long multiplies end early for operands below 2^16 (3 to 5 cycles, 4 to 7 with accumulation):
here always the upper end, since the multipliers of a requantization have 31 bits.
"""

from __future__ import annotations

from midge.measure.timing import BlockCost
from midge.measure.timing.three_stage import UNALIGNED, Rules, cost_of

__all__ = ["UNALIGNED", "block_costs"]

_RULES = Rules(
    multiplies={"mla": 2, "mls": 2, "smull": 5, "umull": 5, "smlal": 7, "umlal": 7},
    updates_pipeline=False,
)


def block_costs(code: bytes, address: int) -> BlockCost:
    """The cost of one pass through `code`, whole Thumb instructions that lie at `address`."""
    return cost_of(code, address, _RULES)
