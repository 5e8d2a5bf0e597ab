"""Requantization of sums with fraction bits: one multiplication and one shift, exact over the sums a layer can reach.

TFLite rounds twice: q = (sum * m + 2^30) >> 31, halves upwards, then q / 2^s with halves away from zero. For a sum that
is not negative that is ((sum * m + 2^30 + 2^(30 + s)) >> (31 + s)); for a negative one 2^30 is subtracted instead. Both
climb from one output level to the next at certain sums, at most 255 of them. So anything that climbs at the same sums
is the same function: here

    ((sum * 2^FRACTION + bias) * multiplier) >> (32 + shift), saturated to int8                             steep_sums

with the zero point and both roundings inside `bias`; where that makes `bias` too large, for uint8 with 128 taken away
afterwards. For each channel the sums at which the definition climbs bound `bias` from below and above; where these
bounds leave room the result is exact for every sum of the channel, else the channel cannot be done so. An activation
that cuts off below the zero point always leaves room in practice: then no level needs the rule for negative sums. Where
both signs count, their rules are more than a whole sum apart, so negative sums are moved by a `jump`:

    v = sum * 2^FRACTION + bias
    (((v < 0 ? v - jump : v) * multiplier >> 32) + addend) >> shift, saturated to int8                      split_sums
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
from numpy.typing import NDArray

from midge.ir.tensor import Array
from midge.kernels.steps import first_sums
from midge.numerics.fixed_point import Ints, multiply_by_quantized_multiplier
from midge.numerics.requantize import Requantization

FRACTION = 8
"""Sums usually carry this many fraction bits: int8 weights are kept in the upper half of int16."""

UINT8 = 128
"""The lift from int8 to uint8."""

_INT8 = (-128, 127)
_LEVELS: Ints = np.arange(_INT8[0] + 1, _INT8[1] + 1, dtype=np.int64)
_LIMIT = 1 << 31
_Range = tuple[Ints, Ints]
_MOST_SHIFT = 16
# Multipliers near the nearest one that are tried, in units of its 2^-24: that moves the farthest step by about one
# fraction bit. One of the first nearly always fits.
_NEIGHBORS = (0, *(sign * step for step in range(1, 65) for sign in (1, -1)))
# Where most channels have found none until this one, the rule does not apply.
_EARLY = 3
# Beyond this right shift the products here could leave 64 bits.
_MOST_RIGHT = 20


@dataclass(frozen=True, eq=False)
class SteepSums:
    """int32 `multipliers` and `biases` by channel, one `shift` for all. A channel of `constant` gives the same output
    for every sum: its weights are to be 0. With `lift`, 0 or 128, the result is the output plus that: 128 asks for
    saturation to uint8. `jumps` by channel, and the `addend` of all, where negative sums have a rule of their own.
    """

    multipliers: Array
    biases: Array
    constant: NDArray[np.bool_]
    shift: int
    lift: int = 0
    jumps: Array | None = None
    addend: int = 0


@dataclass(frozen=True, eq=False)
class _Climbs:
    """For the channels that are not constant: the sums that must reach each level and those that must not, with
    fraction bits, (channels, levels); `must`, `must_not`: where such a sum exists. `nearest`: multipliers."""

    reaching: Ints
    failing: Ints
    must: NDArray[np.bool_]
    must_not: NDArray[np.bool_]
    nearest: Ints
    reach: Ints

    def of(self, channels: Ints) -> _Climbs:
        """The same for some channels."""
        return _Climbs(*(getattr(self, f.name)[channels] for f in fields(self)))


def reachable_sums(bias: Array, weights: Array, zero_point: int) -> tuple[Ints, Ints]:
    """The smallest and the largest sum of (x - zero_point) * w + bias over all int8 x, by channel (first axis)."""
    rows = weights.reshape(len(weights), -1).astype(np.int64)
    ends = np.stack([rows * (_INT8[0] - zero_point), rows * (_INT8[1] - zero_point)])
    base = bias.astype(np.int64)
    return base + ends.min(axis=0).sum(axis=1), base + ends.max(axis=0).sum(axis=1)


def steep_sums(
    r: Requantization, lowest: Ints, highest: Ints, lifts: tuple[int, ...] = (0, UINT8), fraction: int = FRACTION
) -> SteepSums | None:
    """How the sums `lowest`..`highest` of each channel are requantized in one step; None where that cannot be exact.

    The clamp must be int8's own wherever a sum passes it. `lifts` are those that are tried, in this order.
    """
    ends = _ends(r, lowest, highest, fraction)
    if ends is None:
        return None
    constant = ends[0] == ends[1]
    for shift in _shifts(r, constant, fraction):
        climbs = _climbs(r, lowest, highest, ~constant, shift, fraction)
        for lift in lifts:
            found = _search(climbs, (_LEVELS + lift) << (32 + shift), _one_rule)
            if found is not None:
                multipliers, (biases,) = found
                # A quarter of the sum, shifted: the middle of the one level that there is.
                fixed = (2 * (ends[0] + lift) + 1) << (shift + 1)
                return SteepSums(
                    _spread(multipliers, constant, 1 << 30), _spread(biases, constant, fixed), constant, shift, lift
                )
    return None


def split_sums(r: Requantization, lowest: Ints, highest: Ints, fraction: int = FRACTION) -> SteepSums | None:
    """The same with a rule for each sign; None where that cannot be exact."""
    ends = _ends(r, lowest, highest, fraction)
    if ends is None:
        return None
    constant = ends[0] == ends[1]
    for shift in _shifts(r, constant, fraction):
        addend = (r.zero_point << shift) + (1 << shift >> 1)
        climbs = _climbs(r, lowest, highest, ~constant, shift, fraction)
        found = _search(climbs, ((_LEVELS << shift) - addend) << 32, partial(_rule_by_sign, one=1 << fraction))
        if found is not None:
            multipliers, (biases, negative) = found
            fixed = (ends[0] - r.zero_point) << (shift + 2)
            return SteepSums(
                _spread(multipliers, constant, 1 << 30),
                _spread(biases, constant, fixed),
                constant,
                shift,
                jumps=_spread(biases - negative, constant, 0),
                addend=addend,
            )
    return None


def _spread(values: Ints, constant: NDArray[np.bool_], fixed: Ints | int) -> Ints:
    """The values of the channels that are not constant in their places, `fixed` in the others."""
    result = np.broadcast_to(np.asarray(fixed, np.int64), constant.shape).copy()
    result[~constant] = values
    return result


def _ends(r: Requantization, lowest: Ints, highest: Ints, fraction: int) -> tuple[Ints, Ints] | None:
    """Outputs for the smallest and the largest sum of each channel; None where the form does not apply."""
    if max(np.abs(lowest).max(), np.abs(highest).max()) >= _LIMIT >> fraction:
        return None
    free = [multiply_by_quantized_multiplier(v, r.multipliers, r.shifts) + r.zero_point for v in (lowest, highest)]
    kept = [np.clip(v, r.low, r.high) for v in free]
    if any((np.clip(a, *_INT8) != b).any() for a, b in zip(free, kept, strict=True)):
        return None
    active = np.broadcast_to(-r.shifts, kept[0].shape)[kept[0] != kept[1]]
    if (active < 1).any() or (active > _MOST_RIGHT).any():
        return None
    return kept[0], kept[1]


def _shifts(r: Requantization, constant: NDArray[np.bool_], fraction: int) -> tuple[int, ...]:
    """Shifts to try: few different ones, so that layers of one shape share a function, then the finest."""
    right = np.broadcast_to(-r.shifts, constant.shape)[~constant]
    most = min(_MOST_SHIFT, int(right.min(initial=_MOST_SHIFT)) + fraction - 1)
    return tuple(dict.fromkeys((most & ~3, most)))


def _climbs(
    r: Requantization, lowest: Ints, highest: Ints, active: NDArray[np.bool_], shift: int, fraction: int
) -> _Climbs:
    multipliers, right = (np.broadcast_to(v, len(active))[active].astype(np.int64) for v in (r.multipliers, -r.shifts))
    low, high = lowest[active], highest[active]
    climbs = first_sums(r, multipliers, right, _LEVELS)
    below, above = climbs <= low[:, None], climbs > high[:, None]
    return _Climbs(
        reaching=np.where(below, low[:, None], climbs) << fraction,
        failing=(np.where(above, high[:, None] + 1, climbs) - 1) << fraction,
        must=~above,
        must_not=~below,
        nearest=(multipliers + (1 << (fraction - 2 + right - shift))) >> (fraction - 1 + right - shift),
        reach=np.maximum(np.abs(low), np.abs(high)) << fraction,
    )


def _one_rule(c: _Climbs, needed: Ints) -> tuple[_Range, ...]:
    return (_range(c, needed, c.must, c.must_not),)


def _rule_by_sign(c: _Climbs, needed: Ints, one: int) -> tuple[_Range, ...]:
    """The bias of sums that are not negative, which may not change any sign, and what negative ones get instead; sums
    are whole multiples of `one`."""
    least, most = _range(c, needed, c.must & (c.reaching >= 0), c.must_not & (c.failing >= 0))
    natural = np.maximum(least, 0), np.minimum(most, one - 1)
    return natural, _range(c, needed, c.must & (c.reaching < 0), c.must_not & (c.failing < 0), -one)


def _range(
    c: _Climbs, needed: Ints, must: NDArray[np.bool_], must_not: NDArray[np.bool_], otherwise: int = 0
) -> _Range:
    """Least and most bias by channel with which sums reach a level exactly where they must, when it begins at `needed`.

    Where nothing bounds it, on one side or both, it stays near `otherwise`.
    """
    least = np.where(must, needed - c.reaching, -_LIMIT).max(axis=1)
    most = np.where(must_not, needed - 1 - c.failing, _LIMIT).min(axis=1)
    free_below, free_above = least == -_LIMIT, most == _LIMIT
    least = np.where(free_below, np.minimum(most, otherwise), least)
    return least, np.where(free_above, np.maximum(least, otherwise), most)


def _search(
    climbs: _Climbs, scaled_levels: Ints, rule: Callable[[_Climbs, Ints], tuple[_Range, ...]]
) -> tuple[Ints, tuple[Ints, ...]] | None:
    """Multipliers near the nearest ones for which the rule's ranges are not empty, and the middles of these."""
    chosen = np.zeros_like(climbs.nearest)
    middles: list[Ints] = []
    todo = np.arange(len(chosen))
    for step in _NEIGHBORS:
        if step == _EARLY and len(todo) > len(chosen) // 2:
            return None
        c = climbs.of(todo)
        tried = np.maximum(1, c.nearest + step * np.maximum(1, c.nearest >> 24))
        ranges = rule(c, -(-scaled_levels // tried[:, None]))
        found = [(least + most) >> 1 for least, most in ranges]
        good = tried < _LIMIT
        for (least, most), middle in zip(ranges, found, strict=True):
            good &= (least <= most) & (np.abs(middle) + c.reach < _LIMIT)
        middles = middles or [np.zeros_like(chosen) for _ in found]
        chosen[todo[good]] = tried[good]
        for values, middle in zip(middles, found, strict=True):
            values[todo[good]] = middle[good]
        todo = todo[~good]
        if not len(todo):
            return chosen, tuple(middles)
    return None
