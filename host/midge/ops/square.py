"""SQUARE: x * x."""

from __future__ import annotations

from dataclasses import dataclass

from midge.numerics.tables import Reals
from midge.ops.families.unary import Unary, unary_reader


@dataclass(frozen=True, kw_only=True)
class Square(Unary):
    """inputs: x. Int16 is midge's own form: within 3 steps of the output where its scale spans the results."""

    def real(self, x: Reals) -> Reals:
        """x * x."""
        return x * x


TFLITE = {"SQUARE": unary_reader(Square)}
