"""COS: the cosine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.numerics.tables import Reals
from midge.ops.families.unary import Unary, unary_reader
from midge.ops.onnx_nodes import unary


@dataclass(frozen=True, kw_only=True)
class Cos(Unary):
    """inputs: x. Float and int8. In C up to 1e-6 off for |x| to 100,000, and no number beyond a million."""

    has_int16: ClassVar[bool] = False

    def real(self, x: Reals) -> Reals:
        """The cosine."""
        return np.cos(x)


TFLITE = {"COS": unary_reader(Cos)}
ONNX = {"Cos": unary(Cos)}
