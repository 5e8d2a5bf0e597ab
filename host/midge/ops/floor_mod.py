"""FLOOR_MOD: what is left of a division of whole numbers that rounds downwards, with the sign of y."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.tensor import Array, DType, Tensor
from midge.ops.families.binary import Binary, binary_reader, is_whole
from midge.ops.types import type_reason


@dataclass(frozen=True, kw_only=True)
class FloorMod(Binary):
    """inputs: x and y, at most one of them constant. What is divided by 0 gives 0."""

    family: ClassVar[str] = "binary"
    has_whole: ClassVar[bool] = True
    quantized: ClassVar[Collection[DType]] = ()

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Int32 without a scale."""
        return "" if is_whole(inputs, outputs) else type_reason((*inputs, *outputs))

    def whole(self, x: Array, y: Array) -> Array:
        """With the sign of y."""
        return np.where(y == 0, 0, np.mod(x, np.where(y == 0, 1, y)))


TFLITE = {"FLOOR_MOD": binary_reader(FloorMod)}
