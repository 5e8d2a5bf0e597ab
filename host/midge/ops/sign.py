"""SIGN: -1, 0 or 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import DType, Tensor
from midge.numerics.tables import Reals
from midge.ops.families.unary import Unary, unary_reader


@dataclass(frozen=True, kw_only=True)
class Sign(Unary):
    """inputs: x. Float and int8: in int16 a line between anchors cannot jump. What is no number stays none."""

    def real(self, x: Reals) -> Reals:
        """-1 below 0, 1 above."""
        return np.sign(x)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float or int8."""
        if outputs[0].dtype is DType.S16:
            return "int16 is not done: keep the layer in int8 or float"
        return super().check(inputs, outputs)


TFLITE = {"SIGN": unary_reader(Sign)}
