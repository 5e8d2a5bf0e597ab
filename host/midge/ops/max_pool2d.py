"""MAX_POOL_2D: the largest value of each window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

import numpy as np

from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.numerics.fixed_point import integer_clamp
from midge.numerics.windows import gathered, pooled_shape, windows
from midge.ops.families.pool import Pool, pool_reader, written_pool
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.onnx_plain_integers import exact_in_float
from midge.ops.onnx_pool_places import pool_places
from midge.ops.onnx_windows import WindowAxis, channels_first, channels_last, onnx_window, window_axes
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class MaxPool2D(Pool):
    """inputs: x (N, H, W, C). Input and output have one quantization."""

    dilation: tuple[int, int] = (1, 1)

    only_moves: ClassVar[bool] = True

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """(N, out_h, out_w, C)."""
        return (pooled_shape(inputs[0].shape, self.kernel, self.stride, self.padding, self.dilation),)

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Padding never wins; the fused activation clamps the result."""
        y = outputs[0]
        if y.dtype is DType.F32:
            low, high, lowest = *self.clamp, -inf
        else:
            low, high = integer_clamp(self.clamp, y.q, y.dtype)
            lowest = y.dtype.limits[0]
        taps = windows(values[0], self.kernel, self.stride, self.dilation, self.padding, lowest)
        return [np.clip(taps.max(axis=(3, 4)), low, high).astype(y.dtype.numpy)]

    def pull_back(self, values: Sequence[Array], results: Sequence[Array], gradient: Array) -> Array | None:
        """All of it to the largest, shared where several are, unless the clamp holds."""
        taps = windows(values[0], self.kernel, self.stride, self.dilation, self.padding, -inf)
        largest = taps == taps.max(axis=(3, 4), keepdims=True)
        free = (results[0] > self.clamp[0]) & (results[0] < self.clamp[1])
        shares = (gradient * free)[:, :, :, None, None] * largest / largest.sum(axis=(3, 4), keepdims=True)
        parts = shares.astype(gradient.dtype)
        return gathered(parts, values[0].shape, self.kernel, self.stride, self.dilation, self.padding)


TFLITE = {"MAX_POOL_2D": pool_reader(MaxPool2D)}
from_uint8 = as_int8


def to_tflite(op: MaxPool2D, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite MAX_POOL_2D, which has no dilation."""
    if op.dilation != (1, 1):
        raise UnsupportedOp(f"dilation {op.dilation}", "pool without dilation")
    return written_pool(op, "MAX_POOL_2D", inputs, outputs[0])


def from_onnx(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX MaxPool; the indices, where anything reads them, over one or two dimensions."""
    x, kernel = node.tensor(0), node.integers("kernel_shape", ())
    if len(x.shape) == 5:
        node.only_output()
        return [_of_volumes(node, x, window_axes(node, x, kernel))]
    window = onnx_window(node, x, kernel)
    fields: dict[str, Any] = {
        "kernel": window.kernel,
        "stride": window.stride,
        "padding": window.whole_padding,
        "clamp": NO_CLAMP,
        "dilation": window.dilation,
    }
    y = node.add(MaxPool2D, [channels_last(node, x)], "", integers=True, **fields)
    places = [pool_places(node, x, window, (y.shape[1], y.shape[2]))] if any(node.used[1:]) else []
    return [channels_first(node, y, len(x.shape)), *places]


def _of_volumes(node: OnnxNode, x: Tensor, axes: Sequence[WindowAxis]) -> Tensor:
    """The largest value of each window over x (N, C, D, H, W): first of each slice, then of those."""
    n, c, depth, height, width = x.shape
    whole = WindowAxis(1, 1, 1, (0, 0), 0)
    slices = node.reshape(node.transpose(x, (0, 2, 3, 4, 1), "ndhwc"), (n * depth, height, width, c), "slices")
    flat = _pooled(node, slices, axes[1], axes[2], "")
    height, width = flat.shape[1:3]
    y = _pooled(node, node.reshape(flat, (n, depth, height * width, c), "columns"), axes[0], whole, "depth")
    return node.transpose(node.reshape(y, (n, y.shape[1], height, width, c), "volume"), (0, 4, 1, 2, 3), "ncdhw")


def _pooled(node: OnnxNode, x: Tensor, high: WindowAxis, wide: WindowAxis, role: str) -> Tensor:
    return node.add(
        MaxPool2D,
        [x],
        role,
        integers=True,
        kernel=(high.kernel, wide.kernel),
        stride=(high.stride, wide.stride),
        padding=(high.whole_padding, wide.whole_padding),
        clamp=NO_CLAMP,
        dilation=(high.dilation, wide.dilation),
    )


def from_onnx_global(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX GlobalMaxPool over one or two dimensions."""
    x = node.tensor(0)
    last = channels_last(node, x) if len(x.shape) in (3, 4) else node.tensor(0, rank=4)
    kernel = (last.shape[1], last.shape[2])
    fields: dict[str, Any] = {"kernel": kernel, "stride": (1, 1), "padding": ((0, 0), (0, 0)), "clamp": NO_CLAMP}
    return [channels_first(node, node.add(MaxPool2D, [last], "", integers=True, **fields), len(x.shape))]


ONNX = {"GlobalMaxPool": from_onnx_global, "MaxPool": exact_in_float(from_onnx)}
