"""The int16 LOGISTIC and TANH of TensorFlow Lite: lines between 256 values of the logistic function.

Mirrored by firmware/nn/midge_nn_sigmoid.h. Source: tensorflow/lite/kernels/internal/reference/integer_ops/logistic.h
and tanh.h beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

import numpy as np
from numpy.typing import NDArray


def _table() -> NDArray[np.int64]:
    """1 / (1 + e^-(i / 24)) with 16 fractional bits, moved by half the error of the line in the middle of its step."""
    places = np.arange(256)
    here, middle, there = (65536.0 / (1.0 + np.exp(-(places + part) / 24.0)) for part in (0.0, 0.5, 1.0))
    moved = here + (middle - (here + there) / 2.0) / 2.0
    # The last is where the function saturates.
    return np.append(np.rint(moved[:-1]), 65535).astype(np.int64)


TABLE = _table()

_LAST = 255


@dataclass(frozen=True)
class InputFactor:
    """x * multiplier / 2^shift, rounded with halves upwards, is the real input times 3 * 4096."""

    multiplier: int
    shift: int


def input_factor(scale: float, exact_shifts: tuple[int, ...]) -> InputFactor:
    """The factor for an input scale; a power of two with one of `exact_shifts` above 2^-12 needs no rounding.

    Raises ValueError for a scale of 8 or more. Source: TanhPrepare in tensorflow/lite/kernels/activations.cc.
    """
    power = log2(scale)
    exponent = round(power)
    if abs(power - exponent) < 1e-3 and 12 + exponent in exact_shifts:
        return InputFactor(3 << (12 + exponent), 0)
    multiplier, shift = scale * 4096.0 * 3.0, 0
    if multiplier >= 1 << 16:
        raise ValueError(f"an input scale of {scale:.3g}, beyond the range of the function")
    while multiplier <= 32767.0 / 2.0 and shift <= 30:
        shift += 1
        multiplier *= 2.0
    return InputFactor(int(multiplier), shift)


def logistic(x: NDArray[np.int16], factor: InputFactor) -> NDArray[np.int16]:
    """1 / (1 + e^-x) at scale 2^-15."""
    value = _scaled(x, factor)
    result = _between(np.abs(value), 9, 0x7FFF << 10)
    mirrored = np.where(value >= 0, result + (1 << 9), (1 << 25) - result + (1 << 9) - 1)
    return (mirrored >> 10).astype(np.int16)


def tanh(x: NDArray[np.int16], factor: InputFactor) -> NDArray[np.int16]:
    """The hyperbolic tangent at scale 2^-15: 2 * logistic(2 * x) - 1."""
    value = _scaled(x, factor)
    result = _between(np.abs(value), 8, 0xFFFF << 8) - (1 << 23)
    mirrored = np.where(value >= 0, result + (1 << 7), -result + (1 << 7) - 1)
    return (mirrored >> 8).astype(np.int16)


def _scaled(x: NDArray[np.int16], factor: InputFactor) -> NDArray[np.int64]:
    half = 1 << (factor.shift - 1) if factor.shift else 0
    return (x.astype(np.int64) * factor.multiplier + half) >> factor.shift


def _between(size: NDArray[np.int64], bits: int, highest: int) -> NDArray[np.int64]:
    """The table's line at size / 2^bits, with `bits` more fractional bits."""
    index = np.minimum(size >> bits, _LAST - 1)
    low, high = TABLE[index], TABLE[index + 1]
    line = (low << bits) + (size & ((1 << bits) - 1)) * (high - low)
    return np.where(size >> bits >= _LAST, highest, line)
