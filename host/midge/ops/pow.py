"""POW: x to the power of y, shapes broadcast as in numpy.

TFLite has no int8 form. midge's takes logarithms in fixed point, which errs by half a step of the output and a few
parts in a million of the result's logarithm. There a negative base has powers by exponents that are whole to a
hundred-thousandth, and 0 by others, which are no numbers; 0 by a negative exponent is the most that the output can say.
Int32 keeps the low bits; by a negative exponent it is 1 / x^-y cut to a whole number, and 0 for 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.tensor import Array, Tensor
from midge.numerics.powers import PowParameters, int8_powers, pow_parameters
from midge.ops.families.binary import Binary, binary_reader


@dataclass(frozen=True, kw_only=True)
class Pow(Binary):
    """inputs: x and y, at most one of them constant."""

    has_whole: ClassVar[bool] = True

    def real(self, x: Array, y: Array) -> Array:
        """x^y, computed in float64."""
        return np.power(x.astype(np.float64), y.astype(np.float64))

    def parameters(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> PowParameters:
        """The tables of logarithms. Raises ValueError for scales that cannot be."""
        return pow_parameters(inputs[0].q, inputs[1].q, outputs[0].q)

    def integers(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], x: Array, y: Array) -> Array:
        """By the sum of logarithms, counted in steps of the output."""
        return int8_powers(self.parameters(inputs, outputs), x, y)

    def whole(self, x: Array, y: Array) -> Array:
        """By squaring, in 32 bits."""
        x, y = np.broadcast_arrays(x, y)
        result, factor, left = np.ones(x.shape, np.uint32), x.astype(np.uint32), np.maximum(y, 0)
        for _ in range(31):
            result = np.where(left & 1, result * factor, result)
            factor, left = factor * factor, left >> 1
        inverse = np.where(x == 1, 1, np.where(x == -1, 1 - 2 * (y & 1), 0))
        return np.where(y < 0, inverse, result.astype(np.int32))


TFLITE = {"POW": binary_reader(Pow)}
