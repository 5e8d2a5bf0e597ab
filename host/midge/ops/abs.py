"""ABS: |x|."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array, DType, Quant
from midge.numerics.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from midge.numerics.tables import Reals, Table
from midge.ops.families.unary import Unary, unary_reader


@dataclass(frozen=True, kw_only=True)
class Abs(Unary):
    """inputs: x."""

    def real(self, x: Reals) -> Reals:
        """|x|."""
        return np.abs(x)

    def table(self, x: Quant, y: Quant) -> Table:
        """The distance from the zero point, rescaled.

        Source: AbsEvalQuantized in tensorflow/lite/kernels/elementwise.cc.
        """
        size = np.abs(np.arange(-128, 128) - x.zero_point)
        if (factor := self.factor(x, y)) is not None:
            size = multiply_by_quantized_multiplier(size, *factor)
        table: Table = np.clip(size + y.zero_point, -128, 127).astype(np.int8)
        return table

    def int16(self, x: Quant, y: Quant, values: Array) -> Array:
        """The size, rescaled."""
        size = np.abs(values.astype(np.int64))
        if (factor := self.factor(x, y)) is not None:
            size = multiply_by_quantized_multiplier(size, *factor)
        return np.clip(size, *DType.S16.limits).astype(np.int16)

    def factor(self, x: Quant, y: Quant) -> tuple[int, int] | None:
        """(multiplier, shift) between the scales, None where they are one. Raises ValueError beyond 2^30."""
        if x.scale == y.scale:
            return None
        return quantize_multiplier(float(np.float32(x.scale) / np.float32(y.scale)))


TFLITE = {"ABS": unary_reader(Abs)}
