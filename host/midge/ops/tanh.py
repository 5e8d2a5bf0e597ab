"""TANH: the hyperbolic tangent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.graph import OutputQuant, Quant, Tensor
from midge.numerics.tables import Reals
from midge.ops.families.unary import Unary, unary_reader

OUTPUT_QUANT = Quant.per_tensor(1 / 128, 0)


@dataclass(frozen=True, kw_only=True)
class Tanh(Unary):
    """inputs: x."""

    def real(self, x: Reals) -> Reals:
        """The hyperbolic tangent."""
        return np.tanh(x)

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """Fixed when midge chooses: scale 1 / 128, zero point 0."""
        return OUTPUT_QUANT


TFLITE = {"TANH": unary_reader(Tanh)}
