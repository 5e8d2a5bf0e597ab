"""Int16 functions of one value: 513 anchors with straight lines between them, as TensorFlow Lite has them.

Mirrored by midge_interpolate in firmware/nn/midge_nn.h.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midge.numerics.tables import Reals

Anchors = NDArray[np.int16]

_STEPS = 512
_LOW, _HIGH = -(1 << 15), (1 << 15) - 1


def int16_anchors(
    function: Callable[[Reals], Reals], x_range: tuple[float, float], y_range: tuple[float, float], number: type[Any]
) -> Anchors:
    """The anchors over `x_range`, the reals of the inputs -32768 and 32767; `y_range` are those of the outputs.

    What is no number counts as 0. Each anchor is moved by half the error that the line has in the middle of its step.
    Computed in `number`, float32 or float64. Source: LUTPopulateInt16 in tensorflow/lite/kernels/internal/common.h.
    """
    low, high = (number(end) for end in x_range)
    step = (high - low) / number(_STEPS)
    factor = number(1 << 16) / (number(y_range[1]) - number(y_range[0]))

    def scaled(places: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(all="ignore"):
            found = function(places.astype(np.float64)).astype(number) * factor
        return np.asarray(np.nan_to_num(found, posinf=_HIGH, neginf=_LOW))

    starts = (low + np.arange(_STEPS + 1).astype(number) * step).astype(number)
    values = scaled(starts)
    middles = scaled((starts[:-1] + step / number(2)).astype(number))
    line = _round((values[1:] + _round(values[:-1])) / number(2))
    moved = _round(values[:-1]) - _round((line - _round(middles)) / number(2))
    last = _round(scaled(np.array([high], number)))
    return np.asarray(np.clip(np.concatenate([moved, last]), _LOW, _HIGH), np.int16)


def interpolate(anchors: Anchors, x: NDArray[np.int16]) -> Anchors:
    """The function at `x`. Source: LUTLookup in tensorflow/lite/kernels/internal/common.h."""
    wide, table = x.astype(np.int64), anchors.astype(np.int64)
    index = 256 + (wide >> 7)
    slope = table[index + 1] - table[index]
    found = table[index] + ((slope * (wide & 0x7F) + 64) >> 7)
    return np.asarray(found, np.int16)


def _round(value: NDArray[Any]) -> NDArray[Any]:
    return np.copysign(np.floor(np.abs(value) + value.dtype.type(0.5)), value)
