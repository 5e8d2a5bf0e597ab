"""LOGICAL_OR: whether either holds, shapes broadcast as in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.tensor import Array
from midge.ops.families.comparison import Comparison, comparison_reader


@dataclass(frozen=True, kw_only=True)
class LogicalOr(Comparison):
    """inputs: x and y, at most one of them constant; the output is bool."""

    symbol: ClassVar[str] = "||"

    def holds(self, x: Array, y: Array) -> Array:
        """Whether either holds."""
        return np.logical_or(x, y)


TFLITE = {"LOGICAL_OR": comparison_reader(LogicalOr)}
