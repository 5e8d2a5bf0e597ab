"""Requantization of sums with fraction bits: one multiplication and one shift, exact over the sums a layer can reach.

TFLite rounds twice: q = (sum * m + 2^30) >> 31, halves upwards, then q / 2^s with halves away from zero. For a sum that
is not negative that is ((sum * m + 2^30 + 2^(30 + s)) >> (31 + s)); for a negative one 2^30 is subtracted instead. Both
climb from one output level to the next at certain sums, at most 255 of them. So anything that climbs at the same sums
is the same function: here

    ((sum * 2^FRACTION + bias) * multiplier) >> (32 + shift), saturated to int8

with the zero point and both roundings inside `bias`; where that makes `bias` too large, for uint8 with 128 taken away
afterwards. For each channel the sums at which the definition climbs bound
`bias` from below and above; where these bounds leave room the result is exact for every sum of the channel, else the
channel cannot be done so. An activation that cuts off below the zero point always leaves room in practice: then no
level needs the rule for negative sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midge.ir.graph import Array
from midge.numerics.fixed_point import Ints, multiply_by_quantized_multiplier
from midge.numerics.requantize import Requantization

FRACTION = 8
"""Sums carry this many fraction bits: int8 weights are kept in the upper half of int16."""

_INT8 = (-128, 127)
_LIMIT = 1 << 31
_MOST_SHIFT = 16
# Multipliers near the nearest one that are tried, in units of its 2^-24: that moves the farthest step by about one
# fraction bit. One of the first nearly always fits.
_NEIGHBORS = (0, *(sign * step for step in range(1, 65) for sign in (1, -1)))
# Beyond this right shift the products here could leave 64 bits.
_MOST_RIGHT = 20


@dataclass(frozen=True, eq=False)
class SteepSums:
    """int32 `multipliers` and `biases` by channel, one `shift` for all. A channel of `constant` gives the same output
    for every sum: its weights are to be 0. With `lift`, 0 or 128, the result is the output plus that: 128 asks for
    saturation to uint8."""

    multipliers: Array
    biases: Array
    constant: NDArray[np.bool_]
    shift: int
    lift: int


def reachable_sums(bias: Array, weights: Array, zero_point: int) -> tuple[Ints, Ints]:
    """The smallest and the largest sum of (x - zero_point) * w + bias over all int8 x, by channel (first axis)."""
    rows = weights.reshape(len(weights), -1).astype(np.int64)
    ends = np.stack([rows * (_INT8[0] - zero_point), rows * (_INT8[1] - zero_point)])
    base = bias.astype(np.int64)
    return base + ends.min(axis=0).sum(axis=1), base + ends.max(axis=0).sum(axis=1)


def steep_sums(r: Requantization, lowest: Ints, highest: Ints) -> SteepSums | None:
    """How the sums `lowest`..`highest` of each channel are requantized in one step; None where that cannot be exact.

    The clamp must be int8's own wherever a sum passes it.
    """
    channels = len(lowest)
    multipliers, right = (np.broadcast_to(v, channels).astype(np.int64) for v in (r.multipliers, -r.shifts))
    ends = np.stack([_outputs(r, v, multipliers, right) for v in (lowest, highest)])
    if (ends < _INT8[0]).any() or max(np.abs(lowest).max(), np.abs(highest).max()) >= _LIMIT >> FRACTION:
        return None
    constant = ends[0] == ends[1]
    active = ~constant
    if (right[active] < 1).any() or (right[active] > _MOST_RIGHT).any():
        return None
    most = min(_MOST_SHIFT, int(right[active].min(initial=_MOST_SHIFT)) + 7)
    # Few different shifts, so that layers of one shape share a function; where that is too coarse, the finest one.
    for lift, shift in ((0, most & ~3), (0, most), (128, most & ~3), (128, most)):
        found = _search(r, lowest[active], highest[active], multipliers[active], right[active], shift, lift)
        if found is not None:
            result = SteepSums(np.full(channels, 1 << 30), np.zeros(channels, np.int64), constant, shift, lift)
            # A quarter of the sum, shifted: the middle of the one level that there is.
            result.biases[constant] = (2 * (ends[0][constant] + lift) + 1) << (shift + 1)
            result.multipliers[active], result.biases[active] = found
            return result
    return None


def _outputs(r: Requantization, sums: Ints, multipliers: Ints, right: Ints) -> Ints:
    """Outputs for one sum of each channel; below int8 where the clamp is not int8's and is passed."""
    free = multiply_by_quantized_multiplier(sums, multipliers, -right) + r.zero_point
    kept = np.clip(free, r.low, r.high)
    return np.where(kept == np.clip(free, *_INT8), kept, -_LIMIT)


def _search(
    r: Requantization, lowest: Ints, highest: Ints, multipliers: Ints, right: Ints, shift: int, lift: int
) -> tuple[Ints, Ints] | None:
    """Multipliers and biases by channel."""
    levels = np.arange(_INT8[0] + 1, _INT8[1] + 1, dtype=np.int64)
    climbs = _climbs(levels - r.zero_point, multipliers, right)
    below, above = climbs <= lowest[:, None], climbs > highest[:, None]
    # The sums that must reach each level, and those that must not.
    reaching = np.where(below, lowest[:, None], climbs) << FRACTION
    failing = (np.where(above, highest[:, None] + 1, climbs) - 1) << FRACTION
    nearest = (multipliers + (1 << (6 + right - shift))) >> (7 + right - shift)
    units = np.maximum(1, nearest >> 24)
    chosen, biases = np.zeros_like(nearest), np.zeros_like(nearest)
    open_channels = np.arange(len(nearest))
    reach = np.maximum(np.abs(lowest), np.abs(highest)) << FRACTION
    for step in _NEIGHBORS:
        tried = nearest[open_channels] + step * units[open_channels]
        needed = -(-((levels + lift) << (32 + shift)) // tried[:, None])
        least = np.where(above[open_channels], -_LIMIT, needed - reaching[open_channels]).max(axis=1)
        most = np.where(below[open_channels], _LIMIT, needed - 1 - failing[open_channels]).min(axis=1)
        middle = (least + most) >> 1
        good = (least <= most) & (np.abs(middle) + reach[open_channels] < _LIMIT) & (tried > 0) & (tried < _LIMIT)
        chosen[open_channels[good]], biases[open_channels[good]] = tried[good], middle[good]
        open_channels = open_channels[~good]
        if not len(open_channels):
            return chosen, biases
    return None


def _climbs(relative: Ints, multipliers: Ints, right: Ints) -> Ints:
    """The smallest sum whose output is at least each level relative to the zero point, (channels, levels)."""
    half = np.where(relative > 0, -(1 << 30), 1 << 30)
    wanted = (relative << (31 + right[:, None])) - (1 << (30 + right[:, None])) + half
    climbs: Ints = -(-wanted // multipliers[:, None])
    return climbs
