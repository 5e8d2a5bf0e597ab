"""GELU: x times the normal distribution's share below x, or that by the approximation with the hyperbolic tangent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, pi, sqrt

import numpy as np

from midge.ir.tensor import Tensor
from midge.numerics.tables import Reals
from midge.ops.families.unary import Unary
from midge.ops.formats import SourceOp
from midge.ops.tflite_writing import written
from midge.ops.uint8 import as_int8

_ERF = np.vectorize(erf, otypes=[np.float64])


@dataclass(frozen=True, kw_only=True)
class Gelu(Unary):
    """inputs: x. `approximate`: by the hyperbolic tangent.

    Int16 is midge's own form: within 3 steps of the output where its scale spans the results.
    """

    approximate: bool

    @property
    def function(self) -> str:
        """One function for each way."""
        return "gelu_tanh" if self.approximate else "gelu"

    def real(self, x: Reals) -> Reals:
        """x / 2 * (1 + erf(x / sqrt(2))), or the approximation."""
        if self.approximate:
            above: Reals = np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))
            return 0.5 * x * (1 + above)
        below: Reals = 0.5 * x * (1 + _ERF(x / sqrt(2)))
        return below


def from_tflite(op: SourceOp) -> Gelu:
    """Reads a TFLite GELU."""
    approximate = bool(op.attributes.get("Approximate", False))
    return Gelu(name=op.name, inputs=op.input_names(1, 1), outputs=op.output_names, approximate=approximate)


TFLITE = {"GELU": from_tflite}
from_uint8 = as_int8


def to_tflite(op: Gelu, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite GELU."""
    return written(op, "GELU", inputs, outputs, Approximate=op.approximate)
