"""MUL: clamp(x * y), shapes broadcast as in numpy."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from midge.ir.channels import Range
from midge.ir.tensor import QUANTIZED, Array, DType, Tensor
from midge.numerics.fixed_point import integer_clamp, multiply_by_quantized_multiplier, quantize_multiplier
from midge.ops.families.binary import Clamped, clamped_reader, clamped_writer
from midge.ops.intervals import rescaled_range
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Mul(Clamped):
    """inputs: x and y, at most one of them constant."""

    quantized: ClassVar[Collection[DType]] = QUANTIZED
    has_whole: ClassVar[bool] = True
    has_trained_constants: ClassVar[bool] = True

    def sum_step(self, steps: Sequence[Any]) -> Any:
        """That of the product."""
        return steps[0] * steps[1]

    def real(self, x: Array, y: Array) -> Array:
        """x * y."""
        return x * y

    def parameters(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> MulParameters:
        """The factor is computed in float32. Raises ValueError when it is beyond 2^30.

        Source: Prepare in tensorflow/lite/kernels/mul.cc.
        """
        x, y, output = inputs[0].q, inputs[1].q, outputs[0].q
        factor = np.float32(x.scale) * np.float32(y.scale) / np.float32(output.scale)
        multiplier, shift = quantize_multiplier(float(factor))
        low, high = integer_clamp(self.clamp, output, outputs[0].dtype)
        return MulParameters(x.zero_point, y.zero_point, output.zero_point, multiplier, shift, low, high)

    def integers(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], x: Array, y: Array) -> Array:
        """The product of the offset values, requantized."""
        p = self.parameters(inputs, outputs)
        product = (x.astype(np.int64) - p.zero_point1) * (y.astype(np.int64) - p.zero_point2)
        scaled = multiply_by_quantized_multiplier(product, p.multiplier, p.shift)
        return np.clip(scaled + p.zero_point, p.low, p.high)

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """The product is smallest and largest at two of the four corners."""
        if outputs[0].dtype not in QUANTIZED:
            return super().intervals(inputs, outputs, ranges)
        p = self.parameters(inputs, outputs)
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


TFLITE = {"MUL": clamped_reader(Mul)}
from_uint8 = as_int8
to_tflite = clamped_writer("MUL")
