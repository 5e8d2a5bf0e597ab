"""Sliding windows over NHWC arrays: what convolution and pooling share."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from midge.ir.graph import Padding
from midge.ir.tensor import Array, Shape


def window_output_size(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], padding: Padding
) -> tuple[int, int]:
    """(height, width) of the output. Raises ValueError when the window does not fit or a parameter is not positive."""
    if min(*kernel, *stride, *dilation) < 1 or min(*padding[0], *padding[1]) < 0:
        raise ValueError(f"kernel {kernel}, stride {stride}, dilation {dilation}, padding {padding} cannot be")
    out = tuple(
        (n + before + after - ((k - 1) * d + 1)) // s + 1
        for n, k, s, d, (before, after) in zip(size, kernel, stride, dilation, padding, strict=True)
    )
    if min(out) < 1:
        raise ValueError(f"a window of {kernel} with dilation {dilation} does not fit into {size} padded by {padding}")
    return out[0], out[1]


def windows(
    x: Array, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], padding: Padding, fill: float
) -> Array:
    """A view of shape (N, out_h, out_w, kernel_h, kernel_w, C) over `x` (N, H, W, C) padded with `fill`."""
    out_h, out_w = window_output_size((x.shape[1], x.shape[2]), kernel, stride, dilation, padding)
    padded = np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=fill) if padding != ((0, 0), (0, 0)) else x
    n, h, w, c = padded.strides
    return as_strided(
        padded,
        shape=(x.shape[0], out_h, out_w, *kernel, x.shape[3]),
        strides=(n, h * stride[0], w * stride[1], h * dilation[0], w * dilation[1], c),
        writeable=False,
    )


def gathered(
    parts: Array,
    shape: Shape,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: Padding,
) -> Array:
    """The adjoint of `windows` with fill 0: the sums of `parts` (N, out_h, out_w, kernel_h, kernel_w, C) at each place
    of an x of `shape` (N, H, W, C)."""
    (top, bottom), (left, right) = padding
    n, h, w, c = shape
    padded = np.zeros((n, h + top + bottom, w + left + right, c), parts.dtype)
    out_h, out_w = parts.shape[1:3]
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            y, x = i * dilation[0], j * dilation[1]
            reach = slice(y, y + out_h * stride[0], stride[0]), slice(x, x + out_w * stride[1], stride[1])
            padded[:, reach[0], reach[1]] += parts[:, :, :, i, j]
    return padded[:, top : top + h, left : left + w]


def pooled_shape(
    x: Shape,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Padding,
    dilation: tuple[int, int] = (1, 1),
) -> Shape:
    """Shape of the output of a pooling over `x` (N, H, W, C). Raises ValueError when that cannot be.

    A window must hold at least one value of `x`, so padding is smaller than the kernel.
    """
    if len(x) != 4:
        raise ValueError(f"input {x} is not (N, H, W, C)")
    height, width = window_output_size((x[1], x[2]), kernel, stride, dilation, padding)
    for n, out, k, s, d, sides in zip(x[1:3], (height, width), kernel, stride, dilation, padding, strict=True):
        places = np.arange(out)[:, None] * s - sides[0] + np.arange(k) * d
        if not ((places >= 0) & (places < n)).any(axis=1).all():
            raise ValueError(f"padding {padding} holds a whole window of {kernel} with dilation {dilation}")
    return (x[0], height, width, x[3])
