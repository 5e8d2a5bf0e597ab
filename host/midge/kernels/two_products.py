"""Requantization by two multiplications of 32 bits, for cores that have no quick long multiply: exact or not used.

The definition (midge.numerics.fixed_point) multiplies a sum x by a multiplier of 31 bits and rounds twice. Here the
multiplier is shorter and cut in two, factor = high * 2^split + low, so that no product leaves 32 bits:

    y = (x * high + ((x * low) >> split) + addend - (x < 0 ? below : 0)) >> shift

All right shifts are floors, so this equals (x * factor + (addend << split) ...) >> (split + shift). How short the
multiplier may be depends on what sums there can be, which the weights tell. Both sides only ascend with x, so they are
one function on low..high when they step at the same places, of which there are at most 255 in int8: `_agrees` compares
with the definition itself on both sides of each step. `below` is what halves away from zero cost below zero; behind a
RELU with the lowest zero point it is not needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.graph import Array
from midge.numerics.requantize import Requantization

_LEVELS = np.arange(-127, 128)
_LIMIT = 1 << 31
_INT8 = (-128, 127)
# More fraction bits than this are of no use: a multiplier has 31 bits.
_MOST_SHIFT, _MOST_SPLIT = 22, 15
_MOST_RIGHT = 30


@dataclass(frozen=True, eq=False)
class TwoProducts:
    """The constants of the formula, int64 by channel but for `shift` and `split`; `below` is None without that term.

    Outputs are then limited to int8, and to the clamp where that is narrower.
    """

    high: Array
    low: Array
    addends: Array
    below: Array | None
    split: int
    shift: int

    @property
    def words(self) -> Array:
        """(channels, 3 or 4): high, low, addend and, where it is used, below."""
        columns = [self.high, self.low, self.addends, *([] if self.below is None else [self.below])]
        return np.stack(columns, axis=1)

    def apply(self, x: Array) -> Array:
        """The scaled values for sums x, channels last, not limited."""
        total = x * self.high + ((x * self.low) >> self.split) + self.addends
        if self.below is not None:
            total = total - np.where(x < 0, self.below, 0)
        return total >> self.shift


def two_products(r: Requantization, least: Array, most: Array) -> TwoProducts | None:
    """What does the same as `r` on the sums least..most of each channel; None where nothing does."""
    multipliers, right = (np.broadcast_to(v, least.shape).astype(np.int64) for v in (r.multipliers, -r.shifts))
    right = np.where(multipliers == 0, _MOST_RIGHT, right)
    if (right < 1).any() or (right > _MOST_RIGHT).any():
        return None
    reach = np.maximum(np.abs(least), np.abs(most)).astype(np.float64)
    if reach.max() >= _LIMIT:
        return None
    scaled = float((reach * multipliers / np.exp2(31.0 + right)).max())
    shift = min(_MOST_SHIFT, 30 - int(np.ceil(np.log2(scaled + 130))))
    split = min(_MOST_SPLIT, 31 - int(np.ceil(np.log2(max(2.0, reach.max())))))
    if shift < 1 or split < 1:
        return None
    found = _constants(r, multipliers, right, shift, split)
    for candidate in (TwoProducts(found.high, found.low, found.addends, None, split, shift), found):
        if _agrees(r, candidate, _steps(r, multipliers, right, least, most), least, most):
            return candidate
    return None


def _constants(r: Requantization, multipliers: Array, right: Array, shift: int, split: int) -> TwoProducts:
    """The definition's factor and roundings at `shift` + `split` fraction bits."""
    down = 31 + right - shift - split
    factors = np.where(down > 0, (multipliers + (1 << np.maximum(down, 1) >> 1)) >> np.maximum(down, 0), 0)
    factors = np.where(down <= 0, multipliers << np.maximum(-down, 0), factors)
    halves = (1 << shift >> 1) + (1 << shift >> (right + 1))
    return TwoProducts(
        high=factors >> split,
        low=factors & ((1 << split) - 1),
        addends=(r.zero_point << shift) + halves,
        below=1 << shift >> right,
        split=split,
        shift=shift,
    )


def _steps(r: Requantization, multipliers: Array, right: Array, least: Array, most: Array) -> Array:
    """(channels, levels): the smallest sum in least..most + 1 whose output is the level or more.

    From the definition: output v or more, relative to the zero point, asks of the high product v * 2^right, less half
    of 2^right, and one more where v is not positive.
    """
    v, e = (_LEVELS - r.zero_point)[None, :], right[:, None]
    wanted = (v << e) - (1 << e >> 1) + (v <= 0)
    wanted = np.clip(wanted, -_LIMIT, _LIMIT)
    first = -(((1 << 30) - (wanted << 31)) // np.maximum(multipliers, 1)[:, None])
    first = np.where(multipliers[:, None] > 0, first, np.where(v <= 0, -_LIMIT, _LIMIT))
    first = np.where(r.low >= _LEVELS, -_LIMIT, np.where(r.high < _LEVELS, _LIMIT, first))
    steps: Array = np.clip(first, least[:, None], most[:, None] + 1)
    return steps


def _agrees(r: Requantization, found: TwoProducts, steps: Array, least: Array, most: Array) -> bool:
    """Whether both are equal on least..most.

    Both ascend. They are compared at the ends and on both sides of every step; between such places, where the
    definition is equal at both, nothing can change.
    """
    places = np.sort(np.concatenate([least[:, None], most[:, None], steps, steps - 1], axis=1), axis=1)
    places = np.clip(places, least[:, None], most[:, None]).T.astype(np.int64)
    expected = np.asarray(r.apply(places))
    gaps = (np.diff(places, axis=0) > 1) & (np.diff(expected, axis=0) != 0)
    limited = np.clip(np.clip(found.apply(places), *_INT8), r.low, r.high)
    return bool((limited == expected).all() and not gaps.any())
