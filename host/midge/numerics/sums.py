"""Addition and subtraction of int8 and of int16 as TensorFlow Lite's reference kernels do them.

Both operands go to a common scale, twice the larger one's, with `left_shift` more bits; their sum is requantized.
Source: PrepareGeneral in tensorflow/lite/kernels/add.cc, AddFunc in .../internal/reference/integer_ops/add.h.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.graph import Clamp
from midge.ir.tensor import Array, Tensor
from midge.numerics.fixed_point import integer_clamp, multiply_by_quantized_multiplier, quantize_multiplier

# The bits that operands get more, by the output's bytes.
LEFT_SHIFTS = {1: 20, 2: 15}


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
    left_shift = LEFT_SHIFTS[output.dtype.bytes]
    factor = common / ((1 << left_shift) * output.q.scale)
    if factor >= 1.0:
        raise ValueError(f"the output's scale {output.q.scale:.3g} is too fine for inputs of scale {common / 2:.3g}")
    return common_scale_parameters(x, y, output, clamp, sign, left_shift, quantize_multiplier(factor))


def common_scale_parameters(
    x: Tensor, y: Tensor, output: Tensor, clamp: Clamp, sign: int, left_shift: int, factor: tuple[int, int]
) -> SumParameters:
    """Both operands at a scale twice the larger one's, with `left_shift` more bits; `factor` leads to the output."""
    common = 2.0 * max(x.q.scale, y.q.scale)
    (m1, s1), (m2, s2) = (quantize_multiplier(t.q.scale / common) for t in (x, y))
    ends = integer_clamp(clamp, output.q, output.dtype)
    operands = (x.q.zero_point, m1, s1, y.q.zero_point, m2, s2)
    return SumParameters(left_shift, sign, *operands, output.q.zero_point, *factor, *ends)


def at_common_scale(p: SumParameters, x: Array, y: Array) -> tuple[Array, Array]:
    """Both operands, rescaled."""
    return (
        multiply_by_quantized_multiplier((x.astype(np.int64) - p.zero_point1) << p.left_shift, p.multiplier1, p.shift1),
        multiply_by_quantized_multiplier((y.astype(np.int64) - p.zero_point2) << p.left_shift, p.multiplier2, p.shift2),
    )


def quantized_sum(p: SumParameters, x: Array, y: Array) -> Array:
    """The result for operands of shapes that broadcast."""
    first, second = at_common_scale(p, x, y)
    scaled = multiply_by_quantized_multiplier(first + p.sign * second, p.multiplier, p.shift)
    return np.clip(scaled + p.zero_point, p.low, p.high)
