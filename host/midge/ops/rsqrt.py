"""RSQRT: 1 / sqrt(x); in int8 that of what is not positive is the most that the output can say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Quant
from midge.numerics.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from midge.numerics.inverse_sqrt import inverse_sqrt
from midge.numerics.tables import Reals, Table
from midge.ops.families.unary import Unary, unary_reader

_SHIFT = 20


@dataclass(frozen=True, kw_only=True)
class Rsqrt(Unary):
    """inputs: x.

    Int16 is midge's own form: within 3 steps of the output and (128 / n)^2 / 12 of the result, where n is the input's
    integer, 256 or more, and the output does not saturate; nearer to 0 the line is coarse.
    """

    def real(self, x: Reals) -> Reals:
        """Infinity at 0, not a number below."""
        return 1.0 / np.sqrt(x)

    def table(self, x: Quant, y: Quant) -> Table:
        """The inverse square root of the raw value in fixed point with 20 bits more, rescaled.

        TFLite refuses to compute what is negative. Source: RsqrtEvalQuantizedInt8 in
        tensorflow/lite/kernels/elementwise.cc.
        """
        raw = np.maximum(np.arange(-128, 128) - x.zero_point, 1)
        multiplier, shift = quantize_multiplier(float(1.0 / (np.sqrt(np.float32(x.scale)) * np.float32(y.scale))))
        root, root_shift = inverse_sqrt(raw)
        data = multiply_by_quantized_multiplier(np.ones(256, np.int64), root, root_shift + _SHIFT)
        scaled = multiply_by_quantized_multiplier(data, multiplier, shift - _SHIFT) + y.zero_point
        positive = np.arange(-128, 128) > x.zero_point
        return np.where(positive, np.clip(scaled, -128, 127), 127).astype(np.int8)


TFLITE = {"RSQRT": unary_reader(Rsqrt)}
