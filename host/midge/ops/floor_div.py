"""FLOOR_DIV: the quotient of whole numbers, rounded downwards, shapes broadcast as in numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array
from midge.ops.families.binary import WholeBinary, binary_reader


@dataclass(frozen=True, kw_only=True)
class FloorDiv(WholeBinary):
    """inputs: x and y, at most one of them constant. What is divided by 0 gives 0."""

    def whole(self, x: Array, y: Array) -> Array:
        """Rounded downwards."""
        return np.where(y == 0, 0, np.floor_divide(x, np.where(y == 0, 1, y)))


TFLITE = {"FLOOR_DIV": binary_reader(FloorDiv)}
