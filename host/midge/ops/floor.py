"""FLOOR: the whole number below x, or x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.numerics.tables import Reals
from midge.ops.families.unary import Unary, unary_reader
from midge.ops.onnx_nodes import unary


@dataclass(frozen=True, kw_only=True)
class Floor(Unary):
    """inputs: x. Float and int8: in int16 a line between anchors cannot jump."""

    has_int16: ClassVar[bool] = False

    def real(self, x: Reals) -> Reals:
        """The next whole number downwards."""
        return np.floor(x)


TFLITE = {"FLOOR": unary_reader(Floor)}
ONNX = {"Floor": unary(Floor)}
