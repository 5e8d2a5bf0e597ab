"""The values of one tensor over all calibration samples, counted in one pass.

Bins lie on a grid of width 2^exponent that has an edge at 0. When a larger value comes, neighbors are merged and the
width doubles, so that no range need be known beforehand and the order of the samples changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import frexp

import numpy as np
from numpy.typing import NDArray

from midge.ir.tensor import Array

# Bins on each side of 0: at least 16 to a step of int8, whatever the range.
SIDE = 1 << 12
_SIDE_BITS = SIDE.bit_length() - 1
# Finer than this is nothing: float32's smallest value is 2^-149.
_FINEST = -200


@dataclass(frozen=True, eq=False)
class Histogram:
    """`counts[i]` values in [(i - SIDE) * 2^exponent, (i + 1 - SIDE) * 2^exponent); `low` and `high` are exact."""

    low: float
    high: float
    exponent: int
    counts: NDArray[np.int64]

    @property
    def centers(self) -> NDArray[np.float64]:
        """The middle of each bin, but never beyond the smallest and largest value seen."""
        middles = (np.arange(-SIDE, SIDE) + 0.5) * 2.0**self.exponent
        return np.clip(middles, self.low, self.high)


def histogram(values: Array) -> Histogram:
    """Counts finite `values` of any shape."""
    flat = values.reshape(-1).astype(np.float64)
    low, high = float(flat.min()), float(flat.max())
    exponent = _exponent(max(-low, high))
    bins = np.floor(flat * 2.0**-exponent).astype(np.int64) + SIDE
    return Histogram(low, high, exponent, np.bincount(bins, minlength=2 * SIDE))


def merged(one: Histogram, other: Histogram) -> Histogram:
    """The values of both."""
    exponent = max(one.exponent, other.exponent)
    counts = _coarsened(one, exponent) + _coarsened(other, exponent)
    return Histogram(min(one.low, other.low), max(one.high, other.high), exponent, counts)


def _exponent(largest: float) -> int:
    """The finest grid on which -largest..largest has a bin."""
    return max(frexp(largest)[1] - _SIDE_BITS, _FINEST) if largest > 0 else _FINEST


def _coarsened(h: Histogram, exponent: int) -> NDArray[np.int64]:
    """The counts of `h` on a grid of 2^`exponent`, which is not finer."""
    counts = h.counts
    for _ in range(min(exponent - h.exponent, _SIDE_BITS + 1)):
        wider = np.zeros_like(counts)
        wider[SIDE // 2 : SIDE // 2 + SIDE] = counts.reshape(-1, 2).sum(axis=1)
        counts = wider
    return counts
