"""Int8 functions of one value as tables of 256 results, as TensorFlow Lite 2.14's reference kernels prepare them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from midge.ir.tensor import Quant

Table = NDArray[np.int8]
Reals = NDArray[np.float64]


def unary_table(function: Callable[[Reals], Reals], x: Quant, y: Quant) -> Table:
    """The int8 results for the inputs -128..127, in that order: entry i belongs to the input i - 128.

    Dequantized in float32, `function` rounded to float32, times the float32 reciprocal of the output scale, halves away
    from zero. Source: LUTPopulateInt8 in tensorflow/lite/kernels/internal/common.h.
    """
    raw = np.arange(-128, 128)
    with np.errstate(over="ignore"):
        real = np.float32(x.scale) * (raw - x.zero_point).astype(np.float32)
    scaled = function(real.astype(np.float64)).astype(np.float32) * (np.float32(1) / np.float32(y.scale))
    rounded = np.copysign(np.floor(np.abs(scaled.astype(np.float64)) + 0.5), scaled)
    table: Table = np.clip(rounded + y.zero_point, -128, 127).astype(np.int8)
    return table


def look_up(table: Table, x: NDArray[np.int8]) -> Table:
    """table[x + 128], elementwise."""
    found: Table = table[x.astype(np.intp) + 128]
    return found
