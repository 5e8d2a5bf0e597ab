"""LOGISTIC: 1 / (1 + e^-x)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.graph import OutputQuant, Quant, Tensor
from midge.numerics.tables import Reals
from midge.ops.families.unary import Unary, unary_reader
from midge.ops.types import check_fixed_output

OUTPUT_QUANT = Quant.per_tensor(1 / 256, -128)


@dataclass(frozen=True, kw_only=True)
class Logistic(Unary):
    """inputs: x."""

    def real(self, x: Reals) -> Reals:
        """1 / (1 + e^-x)."""
        with np.errstate(over="ignore"):
            return 1.0 / (1.0 + np.exp(-x))

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, or int8 with the output's fixed scale."""
        return super().check(inputs, outputs) or check_fixed_output(outputs[0], OUTPUT_QUANT)

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """Fixed: scale 1 / 256, zero point -128."""
        return OUTPUT_QUANT


TFLITE = {"LOGISTIC": unary_reader(Logistic)}
