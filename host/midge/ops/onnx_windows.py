"""What ONNX's convolutions and poolings share: kernel, stride, dilation and padding, and channels put last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from midge.ir.graph import Padding
from midge.ir.tensor import Tensor
from midge.ops.formats import UnsupportedOp
from midge.ops.onnx_nodes import OnnxNode

_MOST = 1 << 20


@dataclass(frozen=True)
class WindowAxis:
    """A window along one dimension. `padding`: before and after, without what ceil_mode pads more, `ceil_extra`."""

    kernel: int
    stride: int
    dilation: int
    padding: tuple[int, int]
    ceil_extra: int

    @property
    def whole_padding(self) -> tuple[int, int]:
        """`padding` with what ceil_mode adds after it."""
        return self.padding[0], self.padding[1] + self.ceil_extra


@dataclass(frozen=True)
class OnnxWindow:
    """A window over (height, width); one-dimensional ones have height 1. `ceil_extra`: what ceil_mode pads more."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Padding
    ceil_extra: tuple[int, int]

    @property
    def whole_padding(self) -> Padding:
        """`padding` with what ceil_mode adds after it."""
        (top, bottom), (left, right) = self.padding
        return (top, bottom + self.ceil_extra[0]), (left, right + self.ceil_extra[1])


def onnx_window(node: OnnxNode, x: Tensor, kernel: Sequence[int]) -> OnnxWindow:
    """The window of `node` over x (N, C, L) or (N, C, H, W)."""
    if len(x.shape) not in (3, 4):
        raise UnsupportedOp(f"windows over {max(len(x.shape) - 2, 0)} dimensions", "midge has one and two dimensions")
    axes = window_axes(node, x, kernel)
    if len(axes) == 1:
        axes = [WindowAxis(1, 1, 1, (0, 0), 0), *axes]
    high, wide = axes
    return OnnxWindow(
        (high.kernel, wide.kernel),
        (high.stride, wide.stride),
        (high.dilation, wide.dilation),
        (high.padding, wide.padding),
        (high.ceil_extra, wide.ceil_extra),
    )


def window_axes(node: OnnxNode, x: Tensor, kernel: Sequence[int]) -> list[WindowAxis]:
    """The window of `node` along each of the dimensions of x (N, C, ...)."""
    spatial = len(x.shape) - 2
    if len(kernel) != spatial:
        raise ValueError(f"a kernel {list(kernel)} over {spatial} dimensions")
    stride, dilation = node.integers("strides", [1] * spatial), node.integers("dilations", [1] * spatial)
    if len(stride) != spatial or len(dilation) != spatial:
        raise ValueError(f"strides {stride} and dilations {dilation} over {spatial} dimensions")
    if not all(1 <= n <= _MOST for n in (*kernel, *stride, *dilation)):
        raise ValueError(f"kernel {list(kernel)}, strides {stride}, dilations {dilation}")
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    pads = _pads(node, x.shape[2:], reach, stride)
    ceil = bool(node.attributes.get("ceil_mode", 0))
    extra = [
        _ceil_extra(n, sum(p), p[0], r, s) if ceil else 0
        for n, p, r, s in zip(x.shape[2:], pads, reach, stride, strict=True)
    ]
    return [WindowAxis(*axis) for axis in zip(kernel, stride, dilation, pads, extra, strict=True)]


def _pads(node: OnnxNode, size: Sequence[int], reach: Sequence[int], stride: Sequence[int]) -> list[tuple[int, int]]:
    """(before, after) of each spatial dimension, explicit or by `auto_pad`."""
    mode = node.attributes.get("auto_pad", "NOTSET") or "NOTSET"
    if mode == "NOTSET":
        pads = node.integers("pads", [0] * (2 * len(size)))
        if len(pads) != 2 * len(size) or not all(0 <= n <= _MOST for n in pads):
            raise UnsupportedOp(f"pads {list(pads)}", "export with pads that are not negative")
        return list(zip(pads[: len(size)], pads[len(size) :], strict=True))
    if mode == "VALID":
        return [(0, 0)] * len(size)
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise UnsupportedOp(f"auto_pad {mode}", "the file is damaged: export it again")
    totals = [max((-(-n // s) - 1) * s + r - n, 0) for n, r, s in zip(size, reach, stride, strict=True)]
    # The odd one goes after in SAME_UPPER, before in SAME_LOWER.
    return [(t // 2, t - t // 2) if mode == "SAME_UPPER" else (t - t // 2, t // 2) for t in totals]


def _ceil_extra(size: int, pads: int, before: int, reach: int, stride: int) -> int:
    """How much more padding gives the output that ceil_mode rounds up to; no window starts in the padding after."""
    out = -(-(size + pads - reach) // stride) + 1
    if (out - 1) * stride >= size + before:
        out -= 1
    return max((out - 1) * stride + reach - size - pads, 0)


def channels_last(node: OnnxNode, x: Tensor) -> Tensor:
    """(N, C, L) or (N, C, H, W) as (N, 1, L, C) or (N, H, W, C)."""
    if len(x.shape) == 3:
        moved = node.transpose(x, (0, 2, 1), "nlc")
        return node.reshape(moved, (moved.shape[0], 1, *moved.shape[1:]), "nhwc")
    return node.transpose(x, (0, 2, 3, 1), "nhwc")


def channels_first(node: OnnxNode, y: Tensor, rank: int) -> Tensor:
    """What channels_last made of a tensor of `rank` dimensions, back in the file's order."""
    if rank == 3:
        return node.transpose(node.reshape(y, (y.shape[0], *y.shape[2:]), "flat"), (0, 2, 1), "ncl")
    return node.transpose(y, (0, 3, 1, 2), "nchw")
