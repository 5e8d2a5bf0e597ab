"""NEG: -x."""

from __future__ import annotations

from dataclasses import dataclass

from midge.numerics.tables import Reals
from midge.ops.families.unary import Unary, unary_reader


@dataclass(frozen=True, kw_only=True)
class Neg(Unary):
    """inputs: x. Int16 is midge's own form: within 2 steps of the output where its scale spans the results."""

    def real(self, x: Reals) -> Reals:
        """-x."""
        return -x


TFLITE = {"NEG": unary_reader(Neg)}
