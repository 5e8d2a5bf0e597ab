"""SIGN: -1, 0 or 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.numerics.tables import Reals
from midge.ops.families.unary import Unary, unary_reader


@dataclass(frozen=True, kw_only=True)
class Sign(Unary):
    """inputs: x. Float and int8: in int16 a line between anchors cannot jump. What is no number stays none."""

    has_int16: ClassVar[bool] = False

    def real(self, x: Reals) -> Reals:
        """-1 below 0, 1 above."""
        return np.sign(x)


TFLITE = {"SIGN": unary_reader(Sign)}
