"""Bounds on int8 values, from those of the inputs: what the operators' `intervals` share.

Requantization never decreases when the sum grows: the product with a multiplier that is not negative, both roundings
(nearest, halves upwards; nearest, halves away from zero), the zero point and the clamp are all monotone. So the ends of
a sum's interval give the ends of the output's, as long as no int32 wraps between them; where one could, the output may
be anything that its clamp lets through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import gcd

import numpy as np

from midge.ir.channels import Range
from midge.ir.graph import NO_CLAMP, Clamp, Op, whole_range
from midge.ir.tensor import Array, DType, Tensor
from midge.numerics.fixed_point import integer_clamp, multiply_by_quantized_multiplier
from midge.numerics.requantize import Requantization

_INT32_MIN, _INT32_MAX = -(1 << 31), (1 << 31) - 1
_ALL_INT8 = np.arange(-128, 128, dtype=np.int8)


def constant_range(tensor: Tensor) -> Range:
    """Smallest and largest value in each channel of a constant; all that its type can hold for other tensors."""
    if tensor.data is None:
        return whole_range(tensor)
    values = tensor.data.reshape(-1, tensor.shape[-1] if tensor.shape else 1)
    wide = values.astype(np.float64 if tensor.dtype is DType.F32 else np.int64)
    return wide.min(axis=0), wide.max(axis=0)


def clamp_range(tensor: Tensor, clamp: Clamp = NO_CLAMP) -> Range:
    """All values that a fused activation lets through."""
    if tensor.dtype is DType.F32:
        return whole_range(tensor)
    low, high = integer_clamp(clamp, tensor.q, tensor.dtype)
    return clipped(whole_range(tensor), low, high)


def clipped(values: Range, low: int, high: int) -> Range:
    """Both ends clamped."""
    return np.clip(values[0], low, high), np.clip(values[1], low, high)


def hull(first: Range, second: Range) -> Range:
    """What holds both ranges."""
    return np.minimum(first[0], second[0]), np.maximum(first[1], second[1])


def fits_int32(sums: Range, shifts: Array | int = 0) -> Array:
    """Per channel, whether no value of `sums`, shifted left where a shift is positive, leaves int32."""
    left = np.maximum(np.asarray(shifts, np.int64), 0)
    fits: Array = (sums[0] >= _INT32_MIN >> left) & (sums[1] <= _INT32_MAX >> left)
    return fits


def rescaled_range(sums: Range, multiplier: int, shift: int, zero_point: int, low: int, high: int) -> Range:
    """clamp(zero_point + rescale(sum)) for sums of a range, with one factor for all channels."""
    factor = np.array([multiplier]), np.array([shift])
    return requantized_range(sums, Requantization(*factor, zero_point, low, high))


def requantized_range(sums: Range, p: Requantization) -> Range:
    """The outputs for sums of a range."""
    safe = fits_int32(sums, p.shifts)
    low, high = (
        multiply_by_quantized_multiplier(np.clip(end, _INT32_MIN, _INT32_MAX), p.multipliers, p.shifts) + p.zero_point
        for end in sums
    )
    return clipped((np.where(safe, low, p.low), np.where(safe, high, p.high)), p.low, p.high)


def unary_range(op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor], x: Range) -> Range:
    """The outputs of a function of one int8 value, input 0: the extremes of its table between the input's ends."""
    if inputs[0].dtype is not DType.S8:
        return whole_range(outputs[0])
    flat = [replace(inputs[0], shape=(256,), data=None), *inputs[1:]]
    values = [_ALL_INT8, *(np.asarray(t.data) for t in inputs[1:])]
    (table,) = op.evaluate(flat, [replace(outputs[0], shape=(256,))], values)
    inside = (x[0][:, None] <= _ALL_INT8) & (x[1][:, None] >= _ALL_INT8)
    wide = table.astype(np.int64)
    return np.where(inside, wide, 127).min(axis=1), np.where(inside, wide, -128).max(axis=1)


def sum_range(weights: Array, offsets: Range) -> tuple[Array, Array]:
    """Exact ends of sum over c of weights[..., c] * x[c] for x[c] in `offsets`; float64, exact below 2^53."""
    low, high = (end.astype(np.float64) for end in offsets)
    positive, negative = np.maximum(weights, 0).astype(np.float64), np.minimum(weights, 0).astype(np.float64)
    return positive @ low + negative @ high, positive @ high + negative @ low


def common_classes(first: int, second: int) -> int:
    """Into how many classes the channels of two tensors fall that hold the same elements in the same order.

    Element e is channel e % first of the one and e % second of the other, so channels belong together when they are
    equal modulo the greatest common divisor.
    """
    return gcd(first, second)


def regrouped(values: Range, channels: int) -> Range:
    """The range of the same elements in the same order seen with another number of channels."""
    classes = common_classes(len(values[0]), channels)
    low, high = values[0].reshape(-1, classes).min(axis=0), values[1].reshape(-1, classes).max(axis=0)
    return np.tile(low, channels // classes), np.tile(high, channels // classes)
