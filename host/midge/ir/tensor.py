"""What flows through a graph: tensors, their element types, and how integers stand for real values.

Part of the intermediate representation that midge.ir.graph describes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]


class DType(Enum):
    """Element types a tensor can have; the value is numpy's name for it."""

    F32 = "float32"
    S8 = "int8"
    U8 = "uint8"
    S16 = "int16"
    S32 = "int32"
    S64 = "int64"
    BOOL = "bool"

    @property
    def numpy(self) -> np.dtype[Any]:
        """The numpy type."""
        return np.dtype(self.value)

    @property
    def bytes(self) -> int:
        """Bytes of one element."""
        return self.numpy.itemsize

    @property
    def c_type(self) -> str:
        """The C type of one element; a truth is a byte of 0 or 1."""
        return "float" if self is DType.F32 else "uint8_t" if self is DType.BOOL else f"{self.value}_t"

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest value of an integer type."""
        info = np.iinfo(self.numpy)
        return int(info.min), int(info.max)


# The types of quantized activations.
QUANTIZED = (DType.S8, DType.S16)


@dataclass(frozen=True)
class Quant:
    """Affine quantization: real = (q - zero_point) * scale.

    One scale and zero point (per_tensor, `axis` None) or one per slice along `axis` (per_channel). Scales are float32
    values, kept as Python floats without loss, but those of the weights of a convolution that was uint8: a double.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None = None

    @property
    def scale(self) -> float:
        """The scale of a per_tensor quantization (the first of a per_channel one)."""
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The zero point of a per_tensor quantization."""
        return self.zero_points[0]

    @staticmethod
    def per_tensor(scale: float, zero_point: int) -> Quant:
        """One scale (rounded to float32, as every file format stores it) and zero point for the whole tensor."""
        return Quant((float(np.float32(scale)),), (int(zero_point),))


@dataclass(frozen=True, eq=False)
class Tensor:
    """A named array: an activation, a constant when `data` is there, a state when `initial` is there.

    `data` and `initial` have `shape` and `dtype`. `levels`, smaller one first, holds what a pass has proved.
    """

    name: str
    shape: Shape
    dtype: DType
    quant: Quant | None = None
    data: Array | None = None
    initial: Array | None = None
    levels: tuple[int, int] | None = None

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes in memory."""
        return self.elements * self.dtype.bytes

    @property
    def is_constant(self) -> bool:
        """Whether the value is known before any inference."""
        return self.data is not None

    @property
    def is_state(self) -> bool:
        """Whether the value lives from one call to the next."""
        return self.initial is not None

    @property
    def q(self) -> Quant:
        """The quantization, where there must be one."""
        if self.quant is None:
            raise ValueError(f"tensor {self.name} is not quantized")
        return self.quant
