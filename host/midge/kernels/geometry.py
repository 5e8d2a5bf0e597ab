"""Sizes and strides that several kernels bind alike: windows, merged dimensions, safe overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import prod

import numpy as np

from midge.ir.tensor import Shape
from midge.kernels.variant import Layer


@dataclass(frozen=True)
class Window:
    """Sizes of input, output, window, stride, dilation and padding (above and to the left) of an NHWC layer.

    `clip_h` and `clip_w` say whether any window reaches past the input's edge: padding that none reads does not count.
    """

    batch: int
    in_h: int
    in_w: int
    in_c: int
    out_h: int
    out_w: int
    out_c: int
    k_h: int
    k_w: int
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    top: int
    left: int
    clip_h: bool
    clip_w: bool

    @property
    def is_clipped(self) -> bool:
        """Whether any window reaches past the input's edge."""
        return self.clip_h or self.clip_w

    @property
    def params(self) -> dict[str, object]:
        """The fields by name, for a template."""
        return asdict(self)


def window_of(layer: Layer, kernel: tuple[int, int]) -> Window:
    """The sizes of a convolution or pooling with that (height, width) of the window."""
    op = layer.op
    (batch, in_h, in_w, in_c), (_, out_h, out_w, out_c) = layer.inputs[0].shape, layer.outputs[0].shape
    (top, _), (left, _) = op.padding  # type: ignore[attr-defined]
    dilation_h, dilation_w = getattr(op, "dilation", (1, 1))
    stride_h, stride_w = op.stride  # type: ignore[attr-defined]
    return Window(
        batch=batch,
        in_h=in_h,
        in_w=in_w,
        in_c=in_c,
        out_h=out_h,
        out_w=out_w,
        out_c=out_c,
        k_h=kernel[0],
        k_w=kernel[1],
        stride_h=stride_h,
        stride_w=stride_w,
        dilation_h=dilation_h,
        dilation_w=dilation_w,
        top=top,
        left=left,
        clip_h=_is_clipped(in_h, out_h, kernel[0], stride_h, dilation_h, top),
        clip_w=_is_clipped(in_w, out_w, kernel[1], stride_w, dilation_w, left),
    )


def _is_clipped(size: int, out: int, taps: int, stride: int, dilation: int, before: int) -> bool:
    return before > 0 or (out - 1) * stride - before + (taps - 1) * dilation >= size


def pixels_joined(window: Window) -> Window:
    """A 1x1 window that visits every pixel once sees one row of pixels: fewer loops, the same walk."""
    if (window.k_h, window.k_w, window.stride_h, window.stride_w) != (1, 1, 1, 1) or window.is_clipped:
        return window
    pixels = window.batch * window.in_h * window.in_w
    return replace(window, batch=1, in_h=1, out_h=1, in_w=pixels, out_w=pixels)


def joined_window(layer: Layer) -> Window:
    """The window of a convolution's weights, input 1, its pixels joined."""
    weights = layer.inputs[1].shape
    return pixels_joined(window_of(layer, (weights[1], weights[2])))


def window_overlap(layer: Layer, *, channelwise: bool) -> int:
    """How many bytes input 0 must keep ahead of output 0, when output pixels are written in order.

    An output pixel may not be written over input that its own window, or a later one, still reads. `channelwise`: each
    output channel reads its own input channel alone, and the pixel's channels are written in order.
    """
    x, y = layer.inputs[0], layer.outputs[0]
    (batch, in_h, in_w, in_c), (_, out_h, out_w, out_c) = x.shape, y.shape
    (top, _), (left, _) = layer.op.padding  # type: ignore[attr-defined]
    stride = layer.op.stride  # type: ignore[attr-defined]
    rows = np.clip(np.arange(out_h) * stride[0] - top, 0, in_h - 1)
    columns = np.clip(np.arange(out_w) * stride[1] - left, 0, in_w - 1)
    images = np.arange(batch) * in_h * in_w
    first = (images[:, None, None] + rows[None, :, None] * in_w + columns).reshape(-1)
    unread = np.minimum.accumulate(first[::-1])[::-1]
    written = np.arange(len(first))
    if channelwise:
        return int((written - unread).max()) * in_c * x.dtype.bytes
    return int(((written + 1) * out_c - unread * in_c).max()) * x.dtype.bytes


def group_overlap(w: Window, pixels: int) -> int:
    """How many bytes the input must keep ahead of the output of one image, int8 both, when windows of `pixels` output
    pixels at a time are read before these are written."""
    rows = np.clip(np.arange(w.out_h) * w.stride_h - w.top, 0, w.in_h - 1)
    columns = np.clip(np.arange(w.out_w) * w.stride_w - w.left, 0, w.in_w - 1)
    first = (rows[:, None] * w.in_w + columns).reshape(-1)
    unread = np.minimum.accumulate(first[::-1])[::-1]
    later = np.arange(pixels, len(first), pixels)
    return int((later * w.out_c - unread[later] * w.in_c).max(initial=-w.in_h * w.in_w * w.in_c))


@dataclass(frozen=True)
class Dim:
    """One loop: how often, and how many elements each operand advances per iteration."""

    size: int
    strides: tuple[int, ...]


def merged(dims: Sequence[Dim]) -> tuple[Dim, ...]:
    """The same walk in fewer loops: size 1 goes, neighbors that are one run for every operand are joined."""
    result: list[Dim] = []
    for dim in dims:
        if dim.size == 1:
            continue
        if result and all(a == b * dim.size for a, b in zip(result[-1].strides, dim.strides, strict=True)):
            result[-1] = Dim(result[-1].size * dim.size, dim.strides)
        else:
            result.append(dim)
    return tuple(result)


def broadcast_dims(layer: Layer) -> tuple[Dim, ...]:
    """The loops over an output with two operands that broadcast; strides are those of input 0 and input 1."""
    shape = layer.outputs[0].shape
    first, second = (broadcast_strides(t.shape, len(shape)) for t in layer.inputs[:2])
    return merged([Dim(n, (a, b)) for n, a, b in zip(shape, first, second, strict=True)])


def broadcast_strides(shape: Shape, rank: int) -> tuple[int, ...]:
    """Row-major strides after 1s were put in front; 0 where the size is 1."""
    padded = (1,) * (rank - len(shape)) + shape
    return tuple(0 if n == 1 else prod(padded[i + 1 :]) for i, n in enumerate(padded))
