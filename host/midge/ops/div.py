"""DIV: clamp(x / y), shapes broadcast as in numpy.

TFLite has no int8 form. midge's computes in float32 and rounds once, which errs by half a step of the output and a few
parts in ten million; what is divided by zero is the end of the range that its sign points to, and 0 / 0 is 0. Int32 is
cut to a whole number, and 0 where it is divided by 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.tensor import Array, Quant, Tensor
from midge.numerics.fixed_point import integer_clamp, quantize_array
from midge.ops.families.binary import Clamped, clamped_reader, clamped_writer


@dataclass(frozen=True, kw_only=True)
class Div(Clamped):
    """inputs: x and y, at most one of them constant."""

    family: ClassVar[str] = "binary"
    has_whole: ClassVar[bool] = True

    def real(self, x: Array, y: Array) -> Array:
        """x / y."""
        return x / y

    def whole(self, x: Array, y: Array) -> Array:
        """The quotient without its fraction."""
        return np.where(y == 0, 0, np.sign(x) * np.sign(y) * (np.abs(x) // np.maximum(np.abs(y), 1)))

    def parameters(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> DivParameters:
        """The ratio of the scales in float32. Raises ValueError when it is no normal number."""
        x, y = inputs[0].q, inputs[1].q
        with np.errstate(all="ignore"):
            step = float(np.float32(outputs[0].q.scale) * np.float32(y.scale) / np.float32(x.scale))
        if not np.finfo(np.float32).tiny <= step < np.inf:
            raise ValueError(f"scales {x.scale:.3g} / {y.scale:.3g} for an output of scale {outputs[0].q.scale:.3g}")
        return DivParameters(
            x.zero_point, y.zero_point, step, *integer_clamp(self.clamp, outputs[0].q, outputs[0].dtype)
        )

    def integers(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], x: Array, y: Array) -> Array:
        """The quotient of the offset values, counted in steps of the output."""
        p = self.parameters(inputs, outputs)
        over, under = x.astype(np.float32) - np.float32(p.zero_point1), y.astype(np.float32) - np.float32(p.zero_point2)
        with np.errstate(all="ignore"):
            quotient = over / under
        limited = np.clip(np.nan_to_num(quotient, posinf=3e38, neginf=-3e38), -3e38, 3e38)
        quantized = quantize_array(limited, Quant((p.step,), (outputs[0].q.zero_point,)), outputs[0].dtype)
        return np.clip(quantized, p.low, p.high)


@dataclass(frozen=True)
class DivParameters:
    """out = clamp(zero point of the output + round((x - zero_point1) / (y - zero_point2) / step))."""

    zero_point1: int
    zero_point2: int
    step: float
    low: int
    high: int


TFLITE = {"DIV": clamped_reader(Div)}
to_tflite = clamped_writer("DIV")
