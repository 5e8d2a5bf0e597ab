"""Requantization by one multiplication: found by search, proved channel by channel, else not used.

The definition rounds twice (midge.numerics.fixed_point); a core with SMMLA and SSAT can do this in two instructions:

    y = saturate(((((gain * x + offset) * factor) >> 32) + addend) >> shift)    saturated to int8

Both are steps that only ascend with the accumulator x, so they are the same function on low..high when they have the
same steps there: at most 255 places, which are computed in closed form and then checked (`_is_proved`). Where the
definition's rounding changes its mind at zero (it rounds halves away from it) within the output's range, no straight
line fits; layers with RELU have no such output, and for them a line is found nearly always.

`gain` is what the accumulator comes multiplied with: the larger, the finer `offset` is. It costs nothing, for it goes
into the bias.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.graph import Array
from midge.numerics.requantize import Requantization

SATURATED = (-128, 127)
_VALUES = np.arange(SATURATED[0] + 1, SATURATED[1] + 1)
_LIMIT = 1 << 31
# Addends tried on either side of the natural one; one in some 255 does.
_TRIES = 3000


@dataclass(frozen=True, eq=False)
class OneMultiply:
    """Per channel: int32 `factors` (0 <= factor), `addends` and `offsets`; the last are for the bias times gain."""

    factors: Array
    addends: Array
    offsets: Array

    def apply(self, x: Array, gains: Array, shifts: Array) -> Array:
        """The outputs for accumulators x, channels last."""
        high = ((gains * x + self.offsets) * self.factors) >> 32
        return np.clip((high + self.addends) >> shifts, *SATURATED)


def one_multiply(r: Requantization, low: Array, high: Array, gains: Array, shifts: Array) -> OneMultiply | None:
    """The constants that do what `r` does on accumulators low..high (all arguments by channel), or None.

    `r` must not shift to the left. `gains` and `shifts` are as in the formula of the module.
    """
    multipliers = np.broadcast_to(r.multipliers.astype(np.int64), low.shape)
    right = -np.broadcast_to(r.shifts.astype(np.int64), low.shape)
    if (right < 0).any():
        return None
    steps = _steps(multipliers, right, r, low, high)
    constant = ~((steps > low[:, None]) & (steps <= high[:, None])).any(axis=1)
    factors = np.rint(multipliers * np.exp2(1 + shifts - right) / gains * np.minimum(gains, 1 << 8)).astype(np.int64)
    factors = np.where(constant, 0, factors)
    if (factors >= _LIMIT).any() or ((factors == 0) & ~constant).any():
        return None
    return _fitted(r, steps, factors, low, high, gains, shifts)


def first_shift(r: Requantization, most: int) -> int:
    """The largest shift up to `most` for which the factors of all channels are below 2^31; below 0: there is none."""
    moving = r.shifts[r.multipliers > 0]
    return int(min(most, -int(moving.max()) - 1)) if len(moving) else most
