"""Requantization as TensorFlow Lite's reference kernels do it: gemmlowp's fixed point with double rounding.

Mirrored by firmware/nn/midge_nn.h. All functions work on numpy arrays elementwise, in int64 inside.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midge.ir.graph import Clamp
from midge.ir.tensor import DType, Quant

Ints = NDArray[np.int64]

_INT32_MIN, _INT32_MAX = -(1 << 31), (1 << 31) - 1


def round_half_away(value: float) -> int:
    """C's `round`: halves away from zero."""
    return math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1)


def quantize_multiplier(real: float) -> tuple[int, int]:
    """(multiplier, shift) with real = multiplier / 2^31 * 2^shift and multiplier in [2^30, 2^31), as TFLite derives it.

    A factor under 2^-32 becomes 0. Source: QuantizeMultiplier in tensorflow/lite/kernels/internal/quantization_util.cc.
    Raises ValueError for a factor that is negative or not finite, or needs a left shift beyond 30.
    """
    if not math.isfinite(real) or real < 0:
        raise ValueError(f"a scale factor of {real} cannot be")
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = round_half_away(fraction * (1 << 31))
    if multiplier == 1 << 31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        raise ValueError(f"a scale factor of {real} is beyond 2^30")
    return multiplier, shift


def wrap_int32(value: NDArray[Any]) -> Ints:
    """Two's complement wrap to 32 bits, kept in int64."""
    return np.asarray(value).astype(np.int64).astype(np.int32).astype(np.int64)


def saturating_rounding_doubling_high_mul(a: NDArray[Any], b: NDArray[Any] | int) -> Ints:
    """(a * b) / 2^31 rounded to nearest, halves upwards; -2^31 * -2^31 saturates.

    gemmlowp nudges by 2^30, or 1 - 2^30 below zero, and then truncates; that equals one nudge by 2^30 and a floor.
    """
    a64, b64 = np.asarray(a, np.int64), np.asarray(b, np.int64)
    high = (a64 * b64 + (1 << 30)) >> 31
    return np.where((a64 == _INT32_MIN) & (b64 == _INT32_MIN), _INT32_MAX, high)


def rounding_divide_by_pot(x: NDArray[Any], exponent: NDArray[Any] | int) -> Ints:
    """x / 2^exponent, rounded to nearest with halves away from zero; exponent in 0..31."""
    x64, e = np.asarray(x, np.int64), np.asarray(exponent, np.int64)
    mask = (np.int64(1) << e) - 1
    threshold = (mask >> 1) + (x64 < 0)
    return (x64 >> e) + ((x64 & mask) > threshold)


def multiply_by_quantized_multiplier(
    x: NDArray[Any], multiplier: NDArray[Any] | int, shift: NDArray[Any] | int
) -> Ints:
    """x * multiplier / 2^31 * 2^shift with TFLite's two roundings. `x` is int32, `shift` in -31..30."""
    s = np.asarray(shift, np.int64)
    left, right = np.maximum(s, 0), np.maximum(-s, 0)
    scaled = wrap_int32(np.asarray(x, np.int64) << left)
    return rounding_divide_by_pot(saturating_rounding_doubling_high_mul(scaled, multiplier), right)


def reduced_multiplier(multiplier: NDArray[Any] | int) -> Ints:
    """A multiplier of 31 bits rounded to 15, as the product with a 64-bit sum takes it."""
    m = np.asarray(multiplier, np.int64)
    return np.where(m < 0x7FFF0000, (m + (1 << 15)) >> 16, 0x7FFF)


def multiply_wide_by_quantized_multiplier(
    x: NDArray[Any], multiplier: NDArray[Any] | int, shift: NDArray[Any] | int
) -> Ints:
    """x * multiplier / 2^31 * 2^shift for sums of up to 48 bits, rounded once, halves upwards; `shift` in -31..14.

    Source: MultiplyByQuantizedMultiplier of int64_t in tensorflow/lite/kernels/internal/common.cc.
    """
    total = 15 - np.asarray(shift, np.int64)
    product = np.asarray(x, np.int64) * reduced_multiplier(multiplier) + (np.int64(1) << (total - 1))
    return wrap_int32(product >> total)


def quantize_value(real: float, quant: Quant) -> int:
    """zero_point + round(real / scale), the division in float32 as in TFLite's activation ranges.

    Not saturated to the type, but to 31 bits, which a tiny scale would leave.
    """
    with np.errstate(over="ignore"):
        ratio = float(np.float32(real) / np.float32(quant.scale))
    return quant.zero_point + round_half_away(min(max(ratio, -(2.0**30)), 2.0**30))


def integer_clamp(clamp: Clamp, quant: Quant, dtype: DType) -> tuple[int, int]:
    """The fused activation as bounds on quantized values.

    Source: CalculateActivationRangeQuantized in tensorflow/lite/kernels/kernel_util.cc.
    """
    low, high = dtype.limits
    if math.isfinite(clamp[0]):
        low = max(low, quantize_value(clamp[0], quant))
    if math.isfinite(clamp[1]):
        high = min(high, quantize_value(clamp[1], quant))
    return low, high


def divide_half_away(x: NDArray[Any], divisor: NDArray[Any] | int) -> Ints:
    """x / divisor (positive), rounded to nearest with halves away from zero, as C does it with `/` and divisor / 2."""
    x64, d = np.asarray(x, np.int64), np.asarray(divisor, np.int64)
    quotient: Ints = np.sign(x64) * ((np.abs(x64) + d // 2) // d)
    return quotient


def quantize_array(real: NDArray[Any], quant: Quant, dtype: DType) -> NDArray[Any]:
    """Floats to `dtype`: zero_point + round(real / scale), saturated; division in float32, halves away from zero.

    Not-a-number becomes the zero point.
    Source: AffineQuantize in tensorflow/lite/kernels/internal/reference/quantize.h.
    """
    with np.errstate(over="ignore"):
        ratio = np.nan_to_num(np.asarray(real, np.float32) / np.float32(quant.scale)).astype(np.float64)
    rounded = np.sign(ratio) * np.floor(np.abs(ratio) + 0.5)
    low, high = dtype.limits
    quantized: NDArray[Any] = np.clip(rounded + quant.zero_point, low, high).astype(dtype.numpy)
    return quantized
