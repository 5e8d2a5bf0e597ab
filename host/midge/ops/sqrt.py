"""SQRT: the square root; in int8 that of a negative value is 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.numerics.tables import Reals
from midge.ops.families.unary import Unary, unary_reader


@dataclass(frozen=True, kw_only=True)
class Sqrt(Unary):
    """inputs: x.

    Int16 is midge's own form: within 3 steps of the output and (128 / n)^2 / 40 of the result, where n is the input's
    integer, 256 or more; below, within 1.2 % of the largest result, where the output's scale spans them.
    """

    def real(self, x: Reals) -> Reals:
        """Not a number below 0."""
        return np.sqrt(x)


TFLITE = {"SQRT": unary_reader(Sqrt)}
