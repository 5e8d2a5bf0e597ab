"""Which integers weights really take: a constant of int8 whose values stay in a narrow range is packed.

Weights of a channel are a whole number, its gain, times an integer of few bits: -9, 0, 9 are ternary with gain 9. So it
does not matter who wrote the file, nor in which integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array, DType, Tensor
from midge.kernels.variant import Layer
from midge.settings import Width

# Smallest and largest integer, and how many share a byte; the narrowest first. Binary weights are never 0.
FIELDS: Mapping[Width, tuple[int, int, int]] = {
    "binary": (-1, 1, 8),
    "ternary": (-1, 1, 5),
    "int2": (-2, 1, 4),
    "int4": (-8, 7, 2),
}


@dataclass(frozen=True, eq=False)
class Narrow:
    """Weights (channels, positions) divided by the gain of their channel, and the width that holds them all."""

    width: Width
    rows: Array
    gains: Array

    @property
    def gain(self) -> int | None:
        """The gain of all channels; None where they differ."""
        return int(self.gains[0]) if (self.gains == self.gains[0]).all() else None

    @property
    def is_plain(self) -> bool:
        """Whether the integers are the weights themselves."""
        return self.gain == 1


def narrow(weights: Tensor, axis: int) -> Narrow | None:
    """The narrow integers of int8 weights whose output channels lie along `axis`; None where they need 8 bits."""
    if weights.data is None or weights.dtype is not DType.S8 or not weights.data.size:
        return None
    rows = np.moveaxis(weights.data, axis, 0).reshape(weights.shape[axis], -1).astype(np.int64)
    gains = np.maximum(np.gcd.reduce(rows, axis=1), 1)
    divided = rows // gains[:, None]
    for width, (low, high, _) in FIELDS.items():
        if low <= divided.min() and divided.max() <= high and (width != "binary" or (divided != 0).all()):
            return Narrow(width, divided, gains)
    return None


def narrow_weights(layer: Layer) -> Narrow | None:
    """The narrow integers of a layer's weights, its input 1; None where it has none."""
    axis = layer.op.weight_axis.get(1)
    return None if axis is None or len(layer.inputs) < 2 else narrow(layer.inputs[1], axis)
