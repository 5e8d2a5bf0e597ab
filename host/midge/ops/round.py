"""ROUND: the nearest whole number, the even one of two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.numerics.tables import Reals
from midge.ops.families.unary import Unary, unary_reader
from midge.ops.onnx_nodes import unary


@dataclass(frozen=True, kw_only=True)
class Round(Unary):
    """inputs: x. Float and int8: in int16 a line between anchors cannot jump."""

    has_int16: ClassVar[bool] = False

    def real(self, x: Reals) -> Reals:
        """Halves go to the even neighbor."""
        return np.rint(x)


TFLITE = {"ROUND": unary_reader(Round)}
ONNX = {"Round": unary(Round)}
