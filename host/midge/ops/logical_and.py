"""LOGICAL_AND: whether both hold, shapes broadcast as in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.tensor import Array
from midge.ops.families.comparison import Comparison, comparison_reader


@dataclass(frozen=True, kw_only=True)
class LogicalAnd(Comparison):
    """inputs: x and y, at most one of them constant; the output is bool."""

    symbol: ClassVar[str] = "&&"

    def holds(self, x: Array, y: Array) -> Array:
        """Whether both hold."""
        return np.logical_and(x, y)


TFLITE = {"LOGICAL_AND": comparison_reader(LogicalAnd)}
