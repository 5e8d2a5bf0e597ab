"""Requantization by two multiplications of 32 bits, for cores that have no quick long multiply: exact or not used.

The definition (midge.numerics.fixed_point) multiplies a sum by a multiplier of 31 bits and rounds twice. Outputs differ
only in a window of sums, below and above it they are the lowest and the highest. So the sum is taken relative to the
window's start (that goes into the bias) and limited to it, which is the clamp as well, and then with u = 0..last

    y = (u * high + ((u * low) >> split) + addend - (u < zero ? below : 0)) >> 24           modulo 2^32: an int8 in bits

where high * 2^split + low is the factor with 24 + `split` fraction bits. Both this and the definition only ascend with
u, so they are one function when they step at the same places, of which there are at most 255. For a factor near the
natural one the steps bound the addend from both sides; where nothing is left between, the next factor is tried. The
result is then proved by the definition itself (midge.kernels.steps). `below` is what halves away from zero cost below
zero (u < zero); behind a RELU with the lowest zero point there is no such term.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.literals import int32_words
from midge.kernels.near_factors import LIMIT, MOST_RIGHT, Steps, addends, near_factors, steps_of
from midge.kernels.steps import first_sums, is_same
from midge.numerics.requantize import Requantization

SHIFT = 24
"""Fraction bits of the sum of products: what is above them is one byte."""

# A window must leave some bits to the lower product.
_WIDEST = 1 << 24
_MOST_SPLIT = 16


@dataclass(frozen=True, eq=False)
class TwoProducts:
    """The constants of the formula, int64 by channel but for `split`; `starts` are the windows' starts, `lasts` the
    greatest u. `zeros` and `below` are None where no channel needs them."""

    starts: Array
    lasts: Array
    high: Array
    low: Array
    addends: Array
    zeros: Array | None
    below: Array | None
    split: int

    @property
    def words(self) -> Array:
        """(channels, 4 or 6) int32: last, high, low, addend and, where they are used, zero and below."""
        signed = () if self.zeros is None or self.below is None else (self.zeros, self.below)
        columns = np.stack([self.lasts, self.high, self.low, self.addends, *signed], axis=1)
        return int32_words(columns)

    def apply(self, sums: Array) -> Array:
        """The outputs for sums, channels last, in 32-bit arithmetic."""
        u = np.clip(sums - self.starts, 0, self.lasts)
        total = u * self.high + ((u * self.low & 0xFFFFFFFF) >> self.split) + self.addends
        if self.zeros is not None and self.below is not None:
            total = total - np.where(u < self.zeros, self.below, 0)
        outputs: Array = ((total & 0xFFFFFFFF) >> SHIFT).astype(np.uint8).view(np.int8).astype(np.int64)
        return outputs


def two_products(r: Requantization, least: Array, most: Array) -> TwoProducts | None:
    """What does the same as `r` on the sums least..most of each channel; None where nothing is found that does."""
    multipliers, right = (np.broadcast_to(v, least.shape).astype(np.int64) for v in (r.multipliers, -r.shifts))
    right = np.where(multipliers == 0, MOST_RIGHT, right)
    if (right < 0).any() or (right > MOST_RIGHT).any() or max(-least.min(), most.max()) >= LIMIT >> 1:
        return None
    steps = steps_of(first_sums(r, multipliers, right), least, most)
    widest = int(steps.lasts.max()) + 1
    if widest > _WIDEST:
        return None
    split = min(_MOST_SPLIT, 32 - widest.bit_length())
    natural = np.rint(multipliers * np.exp2(SHIFT + split - 31.0 - right)).astype(np.int64)
    natural = np.where(steps.lasts > 0, natural, 0)
    for signed in (False, True):
        found = _search(steps, natural, split, signed)
        if found is not None and is_same(r, found.apply, steps.sums, least, most):
            return found
    return None


def _search(steps: Steps, natural: Array, split: int, signed: bool) -> TwoProducts | None:
    """Factors near the natural ones that leave room for an addend; with `signed` for two, below zero and from it on."""
    zeros = np.clip(-steps.starts, 0, LIMIT - 1) if signed else np.zeros_like(natural)
    found = near_factors(steps, natural, zeros, partial(addends, fraction=SHIFT + split, unit=split))
    if found is None:
        return None
    return TwoProducts(
        steps.starts,
        steps.lasts,
        found.factors >> split,
        found.factors & ((1 << split) - 1),
        found.addends - (128 << SHIFT),
        zeros if signed else None,
        found.below if signed else None,
        split,
    )
