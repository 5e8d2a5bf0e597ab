"""Which taps of a sliding window lie in the input: at the border some read padding instead."""

from __future__ import annotations

import numpy as np

from midge.ir.graph import Padding
from midge.ir.tensor import Array
from midge.numerics.windows import window_output_size

# Distinct rows (n, kernel_h) and columns (m, kernel_w) of 1 for a tap inside the input and 0 for one in the padding.
# Every window is one row of the first by one row of the second, and each such pair occurs.
TapsInside = tuple[Array, Array]


def taps_inside(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], padding: Padding
) -> TapsInside:
    """The kinds of windows over an input of `size` (height, width)."""
    outputs = window_output_size(size, kernel, stride, dilation, padding)
    vertical, horizontal = (
        _inside(*axis) for axis in zip(size, outputs, kernel, stride, dilation, (p[0] for p in padding), strict=True)
    )
    return vertical, horizontal


def _inside(size: int, outputs: int, kernel: int, stride: int, dilation: int, before: int) -> Array:
    places = np.arange(outputs)[:, None] * stride - before + np.arange(kernel) * dilation
    distinct: Array = np.unique((places >= 0) & (places < size), axis=0).astype(np.int64)
    return distinct


def always_inside(inside: TapsInside) -> Array:
    """Whether a tap lies inside in every window, bool (kernel_h, kernel_w)."""
    vertical, horizontal = (kinds.all(axis=0) for kinds in inside)
    both: Array = vertical[:, None] & horizontal
    return both
