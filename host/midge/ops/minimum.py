"""MINIMUM: the smaller of two values, shapes broadcast as in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.channels import Range
from midge.ir.tensor import QUANTIZED, Array, Tensor
from midge.ops.families.binary import Binary, binary_reader, is_whole
from midge.ops.types import check_same_quant
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Minimum(Binary):
    """inputs: x and y, at most one of them constant."""

    inputs_share_quant: ClassVar[bool] = True
    family: ClassVar[str] = "binary"
    has_whole: ClassVar[bool] = True

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, int32, or int8 or int16 with equal scales: TFLite's kernel compares the raw values."""
        if is_whole(inputs, outputs):
            return ""
        return check_same_quant(inputs, outputs, QUANTIZED)

    def real(self, x: Array, y: Array) -> Array:
        """The smaller."""
        return np.minimum(x, y)

    def integers(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], x: Array, y: Array) -> Array:
        """The smaller of the raw values."""
        return np.minimum(x, y)

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """Both ends grow with both operands."""
        (x_low, x_high), (y_low, y_high) = ranges
        return ((np.minimum(x_low, y_low), np.minimum(x_high, y_high)),)


TFLITE = {"MINIMUM": binary_reader(Minimum)}
from_uint8 = as_int8
