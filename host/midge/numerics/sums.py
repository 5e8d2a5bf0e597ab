"""Int8 addition and subtraction as TensorFlow Lite's reference kernels do them.

Both operands go to a common scale, twice the larger one's, with `left_shift` more bits; their sum is requantized.
Source: PrepareGeneral in tensorflow/lite/kernels/add.cc, AddFunc in .../internal/reference/integer_ops/add.h.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.graph import Array, Clamp, Tensor
from midge.numerics.fixed_point import integer_clamp, multiply_by_quantized_multiplier, quantize_multiplier

LEFT_SHIFT = 20


@dataclass(frozen=True)
class SumParameters:
    """out = clamp(zero_point + rescale(rescale1(x - zero_point1) + sign * rescale2(y - zero_point2))).

    Each rescale is (multiplier, shift) for multiply_by_quantized_multiplier, shifts all <= 0; the operands are first
    shifted left by `left_shift` bits.
    """

    left_shift: int
    sign: int
    zero_point1: int
    multiplier1: int
    shift1: int
    zero_point2: int
    multiplier2: int
    shift2: int
    zero_point: int
    multiplier: int
    shift: int
    low: int
    high: int


def sum_parameters(x: Tensor, y: Tensor, output: Tensor, clamp: Clamp, *, sign: int) -> SumParameters:
    """The integers of clamp(x + sign * y). Raises ValueError when the output's scale is too fine for the inputs'."""
    common = 2.0 * max(x.q.scale, y.q.scale)
    factor = common / ((1 << LEFT_SHIFT) * output.q.scale)
    if factor >= 1.0:
        raise ValueError(f"the output's scale {output.q.scale:.3g} is too fine for inputs of scale {common / 2:.3g}")
    (m1, s1), (m2, s2), (m, s) = (quantize_multiplier(f) for f in (x.q.scale / common, y.q.scale / common, factor))
    low, high = integer_clamp(clamp, output.q, output.dtype)
    return SumParameters(
        LEFT_SHIFT, sign, x.q.zero_point, m1, s1, y.q.zero_point, m2, s2, output.q.zero_point, m, s, low, high
    )


def quantized_sum(p: SumParameters, x: Array, y: Array) -> Array:
    """The int8 result for int8 operands of shapes that broadcast."""
    first, second = (
        multiply_by_quantized_multiplier((v.astype(np.int64) - zero_point) << p.left_shift, multiplier, shift)
        for v, zero_point, multiplier, shift in (
            (x, p.zero_point1, p.multiplier1, p.shift1),
            (y, p.zero_point2, p.multiplier2, p.shift2),
        )
    )
    scaled = multiply_by_quantized_multiplier(first + p.sign * second, p.multiplier, p.shift)
    return np.clip(scaled + p.zero_point, p.low, p.high).astype(np.int8)
