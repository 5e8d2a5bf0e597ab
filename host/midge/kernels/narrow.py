"""Which integers weights really take: a constant of int8 with values of a narrow range, or with few of them, is packed.

Weights of a channel are a whole number, its gain, times an integer of few bits: -9, 0, 9 are ternary with gain 9. Or a
layer takes 4, 16 or 64 values in all, and its weights are indices of 2, 4 or 6 bits into a table of them. So it does
not matter who wrote the file, nor in which integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from midge.ir.tensor import Array, DType, Tensor
from midge.kernels.variant import Layer
from midge.settings import Width

# Integers of few bits, or indices into a table.
Packing = Width | Literal["index2", "index4", "index6"]

# Smallest and largest integer, and how many share a byte; the narrowest first. Binary weights are never 0.
FIELDS: Mapping[Width, tuple[int, int, int]] = {
    "binary": (-1, 1, 8),
    "ternary": (-1, 1, 5),
    "int2": (-2, 1, 4),
    "int4": (-8, 7, 2),
}
# Fields that share a unit, and its bytes.
UNITS: Mapping[Packing, tuple[int, int]] = {
    "binary": (8, 1),
    "ternary": (5, 1),
    "int2": (4, 1),
    "index2": (4, 1),
    "int4": (2, 1),
    "index4": (2, 1),
    "index6": (4, 3),
}
# Values that a table may have.
_TABLES: Mapping[Packing, int] = {"index2": 4, "index4": 16, "index6": 64}


@dataclass(frozen=True, eq=False)
class Narrow:
    """Weights (channels, positions) divided by the gain of their channel, and the width that holds them all.

    With a table `rows` are indices into it, and there are no gains.
    """

    width: Packing
    rows: Array
    gains: Array
    table: Array | None = None

    @property
    def gain(self) -> int | None:
        """The gain of all channels; None where they differ."""
        return int(self.gains[0]) if (self.gains == self.gains[0]).all() else None

    @property
    def is_plain(self) -> bool:
        """Whether the integers are the weights themselves."""
        return self.gain == 1

    @property
    def bytes(self) -> int:
        """What weights and table take, packed without gaps."""
        fields, unit_bytes = UNITS[self.width]
        return -(-self.rows.size // fields) * unit_bytes + (0 if self.table is None else len(self.table))


def narrow(weights: Tensor, axis: int) -> Narrow | None:
    """The narrow integers of int8 weights whose output channels lie along `axis`; None where they need 8 bits."""
    rows = weight_rows(weights, axis)
    if rows is None:
        return None
    gains = np.maximum(np.gcd.reduce(rows, axis=1), 1)
    divided = rows // gains[:, None]
    for width, (low, high, _) in FIELDS.items():
        if low <= divided.min() and divided.max() <= high and (width != "binary" or (divided != 0).all()):
            return Narrow(width, divided, gains)
    return None


def clustered(weights: Tensor, axis: int) -> Narrow | None:
    """int8 weights as indices into a table of their values, in rising order; None where that saves no byte."""
    rows = weight_rows(weights, axis)
    if rows is None:
        return None
    used = np.bincount(rows.reshape(-1) + 128, minlength=256) > 0
    table, indices = np.flatnonzero(used) - 128, (np.cumsum(used) - 1)[rows + 128]
    for width, most in _TABLES.items():
        found = Narrow(width, indices, np.ones(len(rows), np.int64), table)
        if len(table) <= most:
            return found if found.bytes < rows.size else None
    return None


def packings(layer: Layer) -> tuple[Narrow, ...]:
    """How a layer's weights, its input 1, can be packed: the fewest bytes first, integers before indices."""
    axis = layer.op.weight_axis.get(1)
    if axis is None or len(layer.inputs) < 2:
        return ()
    found = (narrow(layer.inputs[1], axis), clustered(layer.inputs[1], axis))
    return tuple(sorted((f for f in found if f is not None), key=lambda f: f.bytes))


def narrow_weights(layer: Layer) -> Narrow | None:
    """The first of `packings`; None where weights need 8 bits."""
    return next(iter(packings(layer)), None)


def weight_rows(weights: Tensor, axis: int) -> Array | None:
    """int8 weights by channels; None for any others."""
    if weights.data is None or weights.dtype is not DType.S8 or not weights.data.size:
        return None
    return np.asarray(np.moveaxis(weights.data, axis, 0).reshape(weights.shape[axis], -1).astype(np.int64))
