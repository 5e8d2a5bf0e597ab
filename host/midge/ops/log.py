"""LOG: the natural logarithm; in int8 that of what is not positive is the least that the output can say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Quant
from midge.numerics.tables import Reals, Table, unary_table
from midge.ops.families.unary import Unary, unary_reader


@dataclass(frozen=True, kw_only=True)
class Log(Unary):
    """inputs: x.

    Int16 is midge's own form: within 3 steps of the output and (128 / n)^2 / 8, where n is the input's integer, 256 or
    more, and the output does not saturate; nearer to 0 the line is coarse.
    """

    def real(self, x: Reals) -> Reals:
        """Minus infinity at 0, not a number below."""
        return np.log(x)

    def table(self, x: Quant, y: Quant) -> Table:
        """Source: LogLUTPrepare in tensorflow/lite/kernels/elementwise.cc."""
        least = float(np.float32(-128 - y.zero_point) * np.float32(y.scale))
        return unary_table(lambda v: np.where(v > 0, np.log(np.maximum(v, 1e-300)), least), x, y)


TFLITE = {"LOG": unary_reader(Log)}
