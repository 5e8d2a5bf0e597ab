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

from dataclasses import dataclass, fields

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.literals import int32_words
from midge.kernels.steps import LEVELS, first_sums, is_same
from midge.numerics.requantize import Requantization

SHIFT = 24
"""Fraction bits of the sum of products: what is above them is one byte."""

LIMIT = 1 << 31
# A window must leave some bits to the lower product.
_WIDEST = 1 << 24
_MOST_SPLIT = 16
MOST_RIGHT = 30
# Beyond every addend.
NOWHERE = 1 << 40
# Factors near the natural one that are tried, in units of their last place.
NEIGHBORS = (0, *(sign * step for step in (1, 2, 3, 5, 8, 12, 18, 27, 40, 60) for sign in (1, -1)))


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


@dataclass(frozen=True, eq=False)
class Steps:
    """(channels, levels): the u at which each level is reached first; whether that sum must reach it, and whether the
    sum before must not. The lowest output is reached at 0, and the level above the highest one must not be reached."""

    u: Array
    must: Array
    must_not: Array
    starts: Array
    lasts: Array

    @property
    def sums(self) -> Array:
        """The sums themselves at which levels are reached."""
        sums: Array = self.u + self.starts[:, None]
        return sums


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


def steps_of(first: Array, least: Array, most: Array) -> Steps:
    reached, beyond = first <= least[:, None], first > most[:, None]
    inside = ~reached & ~beyond
    some = inside.any(axis=1)
    starts = np.where(some, np.where(inside, first, LIMIT).min(axis=1) - 1, least)
    lasts = np.where(some, np.where(inside, first, -LIMIT).max(axis=1) - starts, 0)
    levels = np.arange(first.shape[1])
    lowest = levels == reached.sum(axis=1, keepdims=True) - 1
    above = levels == first.shape[1] - beyond.sum(axis=1, keepdims=True)
    u = np.where(inside, first - starts[:, None], np.where(above, lasts[:, None] + 1, 0))
    return Steps(u, inside | lowest, inside | above, starts, lasts)


def _search(steps: Steps, natural: Array, split: int, signed: bool) -> TwoProducts | None:
    """Factors near the natural ones that leave room for an addend; with `signed` for two, below zero and from it on."""
    zeros = np.clip(-steps.starts, 0, LIMIT - 1) if signed else np.zeros_like(natural)
    factors, addends, below = natural.copy(), np.zeros_like(natural), np.zeros_like(natural)
    todo = np.arange(len(natural))
    for neighbor in NEIGHBORS:
        tried = np.maximum(natural[todo] + neighbor * (natural[todo] > 0), 0)
        part = Steps(*(getattr(steps, f.name)[todo] for f in fields(steps)))
        upper, lower, good = _addends(part, tried, zeros[todo], split)
        at = todo[good]
        factors[at], addends[at], below[at] = tried[good], upper[good], (upper - lower)[good]
        todo = todo[~good]
        if not len(todo):
            return TwoProducts(
                steps.starts,
                steps.lasts,
                factors >> split,
                factors & ((1 << split) - 1),
                addends - (128 << SHIFT),
                zeros if signed else None,
                below if signed else None,
                split,
            )
    return None


def _addends(steps: Steps, factors: Array, zeros: Array, split: int) -> tuple[Array, Array, Array]:
    """The addend from zero on, the one below, and whether there are both: the middles of what the steps allow."""
    levels = (LEVELS + 128)[None, :] << (SHIFT + split)
    least = levels - steps.u * factors[:, None]
    most = levels - 1 - (steps.u - 1) * factors[:, None]
    found = []
    for rule in (np.greater_equal, np.less):
        must = steps.must & rule(steps.u, zeros[:, None])
        must_not = steps.must_not & rule(steps.u - 1, zeros[:, None])
        low = np.where(must, least, -(NOWHERE << split)).max(axis=1)
        high = np.where(must_not, most, (NOWHERE << split)).min(axis=1)
        # In units of 2^split, the lower bound up and the upper one down.
        found.append((-(-low >> split), high >> split))
    (low, high), (low_below, high_below) = (bounded(*ends) for ends in found)
    upper, lower = (low + high) >> 1, (low_below + high_below) >> 1
    # One addend for both where there is one; a rule that no step asks for is the other one.
    both_low, both_high = np.maximum(low, low_below), np.minimum(high, high_below)
    same = both_low <= both_high
    upper, lower = (np.where(same, (both_low + both_high) >> 1, addend) for addend in (upper, lower))
    used = [(steps.must | steps.must_not) & rule(steps.u, zeros[:, None]) for rule in (np.greater_equal, np.less)]
    upper = np.where(used[0].any(axis=1), upper, lower)
    lower = np.where(used[1].any(axis=1), lower, upper)
    return upper, lower, (low <= high) & (low_below <= high_below) & (lower <= upper)


def bounded(low: Array, high: Array) -> tuple[Array, Array]:
    """Both ends; where there is but one, it is both, and 0 where there is none."""
    from_below, from_above = low > -NOWHERE, high < NOWHERE
    other_low = np.where(from_above, high, 0)
    other_high = np.where(from_below, low, 0)
    return np.where(from_below, low, other_low), np.where(from_above, high, other_high)
