"""What raw values mean to a network that was trained on (raw - mean) / std; see midge.quantize.raw_input."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.numerics.fixed_point import quantize_array


@dataclass(frozen=True)
class RawInput:
    """Values of `dtype`: bytes, or samples of 16 bits; `mean` and `std` are one number, or one for each channel (the
    last axis)."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    dtype: DType = DType.U8

    @cached_property
    def zero(self) -> int:
        """The raw value whose int8 form is the zero point."""
        return int(np.clip(np.rint(np.mean(self.mean)), *self.ends))

    @cached_property
    def step(self) -> float:
        """What one raw step is worth to the folded network: 1 / std, or 1 where channels differ."""
        return 1.0 / self.std[0] if len(set(self.std)) == 1 else 1.0

    @property
    def is_plain(self) -> bool:
        """Whether a zero point and a scale say it all."""
        return len(set(self.std)) == 1 and set(self.mean) == {float(self.zero)}

    @property
    def ends(self) -> tuple[int, int]:
        """The smallest and the largest raw value."""
        return self.dtype.limits

    @property
    def limits(self) -> tuple[float, float]:
        """The smallest and the largest real value that the folded network's input takes."""
        low, high = self.ends
        return (low - self.zero) * self.step, (high - self.zero) * self.step

    @property
    def quant(self) -> Quant:
        """Of the raw input."""
        return Quant.per_tensor(self.step, self.zero)

    def raw_of(self, real: Array) -> Array:
        """The nearest raw values of normalized ones, whose channels are last."""
        raw = np.rint(real.astype(np.float64) * np.asarray(self.std) + np.asarray(self.mean))
        return np.asarray(np.clip(raw, *self.ends))

    def given(self, raw: Array, tensor: Tensor) -> Array:
        """Raw values as the input `tensor` of a folded network holds them, in its type."""
        if tensor.dtype is self.dtype:
            return raw.astype(self.dtype.numpy)
        real = ((raw.astype(np.float64) - self.zero) * self.step).astype(np.float32)
        return real if tensor.dtype is DType.F32 else quantize_array(real, tensor.q, tensor.dtype)
