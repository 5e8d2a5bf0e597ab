"""MUL: clamp(x * y), shapes broadcast as in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.channels import Range
from midge.ir.graph import NO_CLAMP, Array, Clamp, DType, Op, Shape, Tensor
from midge.numerics.fixed_point import integer_clamp, multiply_by_quantized_multiplier, quantize_multiplier
from midge.ops.formats import SourceOp, tflite_clamp
from midge.ops.intervals import rescaled_range
from midge.ops.onnx_nodes import binary
from midge.ops.types import broadcast_shape, check_same_type, reason_why_not


@dataclass(frozen=True, kw_only=True)
class Mul(Op):
    """inputs: x and y, at most one of them constant."""

    clamp: Clamp

    is_elementwise: ClassVar[bool] = True

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """The broadcast shape."""
        return (broadcast_shape(inputs),)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float or int8."""
        reason = check_same_type(inputs, outputs)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        return reason_why_not(lambda: mul_parameters(self, inputs, outputs))

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Integers: the product of the offset values, requantized."""
        x, y = values
        if outputs[0].dtype is DType.F32:
            return [np.clip(x * y, *self.clamp).astype(np.float32)]
        p = mul_parameters(self, inputs, outputs)
        product = (x.astype(np.int64) - p.zero_point1) * (y.astype(np.int64) - p.zero_point2)
        scaled = multiply_by_quantized_multiplier(product, p.multiplier, p.shift)
        return [np.clip(scaled + p.zero_point, p.low, p.high).astype(np.int8)]

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """The product is smallest and largest at two of the four corners."""
        if outputs[0].dtype is DType.F32:
            return super().intervals(inputs, outputs, ranges)
        p = mul_parameters(self, inputs, outputs)
        corners = [(x - p.zero_point1) * (y - p.zero_point2) for x in ranges[0] for y in ranges[1]]
        products = np.minimum.reduce(corners), np.maximum.reduce(corners)
        return (rescaled_range(products, p.multiplier, p.shift, p.zero_point, p.low, p.high),)


@dataclass(frozen=True)
class MulParameters:
    """out = clamp(zero_point + rescale((x - zero_point1) * (y - zero_point2))), rescale by (multiplier, shift)."""

    zero_point1: int
    zero_point2: int
    zero_point: int
    multiplier: int
    shift: int
    low: int
    high: int


def mul_parameters(op: Mul, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> MulParameters:
    """The integers of an int8 MUL; the factor is computed in float32. Raises ValueError when it is beyond 2^30.

    Source: Prepare in tensorflow/lite/kernels/mul.cc.
    """
    x, y, output = inputs[0].q, inputs[1].q, outputs[0].q
    factor = np.float32(x.scale) * np.float32(y.scale) / np.float32(output.scale)
    multiplier, shift = quantize_multiplier(float(factor))
    low, high = integer_clamp(op.clamp, output, outputs[0].dtype)
    return MulParameters(x.zero_point, y.zero_point, output.zero_point, multiplier, shift, low, high)


def from_tflite(op: SourceOp) -> Mul:
    """Reads a TFLite MUL."""
    return Mul(name=op.name, inputs=op.input_names(2, 2), outputs=op.output_names, clamp=tflite_clamp(op))


TFLITE = {"MUL": from_tflite}
ONNX = {"Mul": binary(Mul, clamp=NO_CLAMP)}
