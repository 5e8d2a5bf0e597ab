"""ABS: |x|."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.graph import Quant
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
        if x.scale != y.scale:
            factor = quantize_multiplier(float(np.float32(x.scale) / np.float32(y.scale)))
            size = multiply_by_quantized_multiplier(size, *factor)
        table: Table = np.clip(size + y.zero_point, -128, 127).astype(np.int8)
        return table


TFLITE = {"ABS": unary_reader(Abs)}
