"""What raw bytes mean to a network that was trained on (byte - mean) / std; see midge.quantize.raw_input."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.numerics.fixed_point import quantize_array

# The largest byte.
HIGHEST = 255


@dataclass(frozen=True)
class RawInput:
    """Bytes 0 to 255; `mean` and `std` are one number, or one for each channel (the last axis)."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @cached_property
    def zero(self) -> int:
        """The raw value whose int8 form is the zero point."""
        return int(np.clip(np.rint(np.mean(self.mean)), 0, HIGHEST))

    @cached_property
    def step(self) -> float:
        """What one raw step is worth to the folded network: 1 / std, or 1 where channels differ."""
        return 1.0 / self.std[0] if len(set(self.std)) == 1 else 1.0

    @property
    def is_plain(self) -> bool:
        """Whether a zero point and a scale say it all."""
        return len(set(self.std)) == 1 and set(self.mean) == {float(self.zero)}

    @property
    def bytes(self) -> tuple[int, int]:
        """The smallest and the largest raw value."""
        return 0, HIGHEST

    @property
    def limits(self) -> tuple[float, float]:
        """The smallest and the largest real value that the folded network's input takes."""
        return -self.zero * self.step, (HIGHEST - self.zero) * self.step

    @property
    def quant(self) -> Quant:
        """Of the uint8 input."""
        return Quant.per_tensor(self.step, self.zero)

    def raw_of(self, real: Array) -> Array:
        """The nearest raw values of normalized ones, whose channels are last."""
        raw = np.rint(real.astype(np.float64) * np.asarray(self.std) + np.asarray(self.mean))
        return np.asarray(np.clip(raw, 0, HIGHEST))

    def given(self, raw: Array, tensor: Tensor) -> Array:
        """Raw values as the input `tensor` of a folded network holds them, in its type."""
        if tensor.dtype is DType.U8:
            return raw.astype(np.uint8)
        real = ((raw.astype(np.float64) - self.zero) * self.step).astype(np.float32)
        return real if tensor.dtype is DType.F32 else quantize_array(real, tensor.q, tensor.dtype)
