"""Requantization by one multiplication: found by search, proved channel by channel, else not used.

The definition rounds twice (midge.numerics.fixed_point). A core with SMMLA and SSAT can do this in two instructions:

    y = (((gain * x + offset) * factor >> 32) + addend) >> shift, saturated to int8

Both only ascend with the accumulator x, so they are one function on low..high when they step at the same places, of
which there are at most 255. The steps of the definition are known in closed form; an offset and an addend that meet
them all are searched; the result is proved by the definition itself (midge.kernels.steps). The definition rounds
halves away from zero: where it changes its mind, within the outputs that can be, no straight line fits. Behind a RELU
with the lowest zero point there are no such outputs, and a line is found nearly always.

`gain` is what the accumulator comes multiplied with: the larger it is, the finer is the offset. The offset costs
nothing, it goes into the bias.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.steps import first_sums, is_same
from midge.numerics.requantize import Requantization

LOWEST, HIGHEST = -128, 127
_OUTPUTS = np.arange(LOWEST + 1, HIGHEST + 1)
_LIMIT = 1 << 31
# How far from the natural addend the search goes, in rounds; one of some 255 does.
_ROUNDS = (64, 1024, 32768)


@dataclass(frozen=True, eq=False)
class Line:
    """The constants of the formula, per channel, int64: 0 <= factors < 2^31; the others are within int32."""

    gains: Array
    shifts: Array
    factors: Array
    addends: Array
    offsets: Array

    def apply(self, x: Array) -> Array:
        """The outputs for accumulators x, channels last."""
        high = ((self.gains * x + self.offsets) * self.factors) >> 32
        return np.clip((high + self.addends) >> self.shifts, LOWEST, HIGHEST)


def largest_shift(r: Requantization) -> int:
    """The largest shift with gain 1 for which all factors are below 2^31; negative when there is none."""
    moving = r.shifts[r.multipliers > 0]
    return -int(moving.max()) - 1 if len(moving) else 31


def one_multiply(r: Requantization, low: Array, high: Array, gains: Array, shifts: Array) -> Line | None:
    """The line that does what `r` does on the accumulators low..high; None when there is none or none is found.

    All arguments are by channel; shifts of `r` must not go left.
    """
    multipliers = np.broadcast_to(r.multipliers.astype(np.int64), low.shape)
    right = np.broadcast_to(-r.shifts.astype(np.int64), low.shape)
    steps = np.clip(first_sums(r, multipliers, right, _OUTPUTS), low[:, None], high[:, None] + 1)
    constant = ~((steps > low[:, None]) & (steps <= high[:, None])).any(axis=1)
    factors = np.rint(multipliers / gains * np.exp2(1.0 + shifts - right)).astype(np.int64)
    factors = np.where(constant, 0, factors)
    if (right < 0).any() or (factors >= _LIMIT).any() or (~constant & (factors < 1 << 16)).any():
        return None
    line = _constants(r, steps, factors, low, high, gains.astype(np.int64), shifts.astype(np.int64))
    if line is None or not _fits_int32(line, low, high):
        return None
    return line if is_same(r, line.apply, steps, low, high) else None


def _constants(
    r: Requantization, steps: Array, factors: Array, low: Array, high: Array, gains: Array, shifts: Array
) -> Line | None:
    """Addends and offsets: output v begins where (gain * x + offset) * factor reaches ((v << shift) - addend) << 32.

    For each channel the offsets that put a step where it belongs are an interval; all steps must have one in common.
    """
    natural = (r.zero_point << shifts) + ((1 << shifts) >> 1)
    scale = np.exp2(32.0) / np.maximum(factors, 1)
    place = ((_OUTPUTS[None, :] << shifts[:, None]) - natural[:, None]) * scale[:, None] - gains[:, None] * steps
    lower = np.where(steps <= high[:, None], place, -np.inf).max(axis=1)
    upper = np.where(steps > low[:, None], place, np.inf).min(axis=1) + gains
    constant = factors == 0
    addends, offsets = _outputs(r, low) << shifts, np.zeros_like(factors)
    for channel in np.flatnonzero(~constant):
        found = _addend(lower[channel], upper[channel], scale[channel])
        if found is None:
            return None
        addends[channel], offsets[channel] = natural[channel] + found[0], found[1]
    return Line(gains, shifts, factors, addends, offsets)


def _addend(lower: float, upper: float, scale: float) -> tuple[int, int] | None:
    """(k, offset) with lower <= offset + k * scale < upper, the smallest |k|; the offset near the middle."""
    for most in _ROUNDS:
        tries = np.arange(-most, most + 1)
        tries = tries[np.argsort(np.abs(tries), kind="stable")]
        least = np.ceil(lower - tries * scale)
        meets = least < upper - tries * scale
        if meets.any():
            at = int(np.argmax(meets))
            end = upper - tries[at] * scale
            middle = max(float(least[at]), np.floor((least[at] + end) / 2)) if np.isfinite(end) else float(least[at])
            return int(tries[at]), int(middle if np.isfinite(middle) else end - 1)
    return None


def _outputs(r: Requantization, x: Array) -> Array:
    """What the definition gives for x, channels last."""
    return np.asarray(r.apply(x))


def _fits_int32(line: Line, low: Array, high: Array) -> bool:
    reach = np.maximum(np.abs(line.gains * low + line.offsets), np.abs(line.gains * high + line.offsets))
    return bool((reach < _LIMIT).all() and (np.abs(line.addends) < _LIMIT >> 1).all())
