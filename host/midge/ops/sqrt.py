"""SQRT: the square root; in int8 that of a negative value is 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.numerics.tables import Reals
from midge.ops.families.unary import Unary, unary_reader


@dataclass(frozen=True, kw_only=True)
class Sqrt(Unary):
    """inputs: x."""

    def real(self, x: Reals) -> Reals:
        """Not a number below 0."""
        return np.sqrt(x)


TFLITE = {"SQRT": unary_reader(Sqrt)}
