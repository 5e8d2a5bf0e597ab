"""EXP: e^x."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.numerics.tables import Reals
from midge.ops.families.unary import Unary, unary_reader


@dataclass(frozen=True, kw_only=True)
class Exp(Unary):
    """inputs: x."""

    def real(self, x: Reals) -> Reals:
        """e^x."""
        return np.exp(x)


TFLITE = {"EXP": unary_reader(Exp)}
