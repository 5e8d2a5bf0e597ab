"""FLOOR_MOD: what is left of a division of whole numbers that rounds downwards, with the sign of y."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array
from midge.ops.families.binary import WholeBinary, binary_reader


@dataclass(frozen=True, kw_only=True)
class FloorMod(WholeBinary):
    """inputs: x and y, at most one of them constant. What is divided by 0 gives 0."""

    def whole(self, x: Array, y: Array) -> Array:
        """With the sign of y."""
        return np.where(y == 0, 0, np.mod(x, np.where(y == 0, 1, y)))


TFLITE = {"FLOOR_MOD": binary_reader(FloorMod)}
