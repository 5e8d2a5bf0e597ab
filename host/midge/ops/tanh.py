"""TANH: the hyperbolic tangent."""

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

OUTPUT_QUANT = Quant.per_tensor(1 / 128, 0)
OUTPUT_QUANT_INT16 = Quant.per_tensor(1 / 32768, 0)


@dataclass(frozen=True, kw_only=True)
class Tanh(Unary):
    """inputs: x."""

    def real(self, x: Reals) -> Reals:
        """The hyperbolic tangent."""
        return np.tanh(x)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, int8, or int16 with the output's fixed scale."""
        reason = super().check(inputs, outputs)
        return reason or (check_fixed_output(outputs[0], OUTPUT_QUANT_INT16) if outputs[0].dtype is DType.S16 else "")

    def int16(self, x: Quant, y: Quant, values: Array) -> Array:
        """See midge.numerics.sigmoid."""
        return sigmoid.tanh(values, self.factor(x))

    def factor(self, x: Quant) -> sigmoid.InputFactor:
        """How the input comes to the scale of the table. Raises ValueError for a scale of 5 or more."""
        return sigmoid.input_factor(x.scale, (0, 1))

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """Fixed when midge chooses: scale 1 / 128, zero point 0."""
        return OUTPUT_QUANT


TFLITE = {"TANH": unary_reader(Tanh)}
from_uint8 = as_int8
