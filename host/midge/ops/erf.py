"""ERF: the error function, of which exporters make GELU."""

from __future__ import annotations

from dataclasses import dataclass
from math import erf

import numpy as np

from midge.numerics.tables import Reals
from midge.ops.families.unary import Unary
from midge.ops.onnx_nodes import unary

_ERF = np.vectorize(erf, otypes=[np.float64])


@dataclass(frozen=True, kw_only=True)
class Erf(Unary):
    """inputs: x."""

    def real(self, x: Reals) -> Reals:
        """2 / sqrt(pi) times the integral of e^-t^2 from 0 to x."""
        result: Reals = _ERF(x)
        return result


ONNX = {"Erf": unary(Erf)}
