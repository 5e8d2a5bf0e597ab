"""LOGISTIC: 1 / (1 + e^-x)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.graph import OutputQuant
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.numerics import sigmoid
from midge.numerics.tables import Reals
from midge.ops.families.unary import Unary, unary_reader
from midge.ops.types import check_fixed_output
from midge.ops.uint8 import as_int8

OUTPUT_QUANT = Quant.per_tensor(1 / 256, -128)
OUTPUT_QUANT_INT16 = Quant.per_tensor(1 / 32768, 0)


@dataclass(frozen=True, kw_only=True)
class Logistic(Unary):
    """inputs: x."""

    def real(self, x: Reals) -> Reals:
        """1 / (1 + e^-x)."""
        with np.errstate(over="ignore"):
            return 1.0 / (1.0 + np.exp(-x))

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, or int8 or int16 with the output's fixed scale."""
        fixed = OUTPUT_QUANT_INT16 if outputs[0].dtype is DType.S16 else OUTPUT_QUANT
        return super().check(inputs, outputs) or check_fixed_output(outputs[0], fixed)

    def int16(self, x: Quant, y: Quant, values: Array) -> Array:
        """See midge.numerics.sigmoid."""
        return sigmoid.logistic(values, self.factor(x))

    def factor(self, x: Quant) -> sigmoid.InputFactor:
        """How the input comes to the scale of the table. Raises ValueError for a scale of 5 or more."""
        return sigmoid.input_factor(x.scale, (0,))

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """Fixed: scale 1 / 256, zero point -128."""
        return OUTPUT_QUANT


TFLITE = {"LOGISTIC": unary_reader(Logistic)}
from_uint8 = as_int8
