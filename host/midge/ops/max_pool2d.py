"""MAX_POOL_2D: the largest value of each window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.numerics.fixed_point import integer_clamp
from midge.numerics.windows import gathered, pooled_shape, windows
from midge.ops.families.pool import Pool, pool_reader, written_pool
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.onnx_plain_integers import exact_in_float
from midge.ops.onnx_windows import channels_first, channels_last, onnx_window
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class MaxPool2D(Pool):
    """inputs: x (N, H, W, C). Input and output have one quantization."""

    dilation: tuple[int, int] = (1, 1)

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
    """Reads an ONNX MaxPool whose indices nothing reads."""
    node.only_output()
    x = node.tensor(0)
    window = onnx_window(node, x, node.integers("kernel_shape", ()))
    fields: dict[str, Any] = {
        "kernel": window.kernel,
        "stride": window.stride,
        "padding": window.whole_padding,
        "clamp": NO_CLAMP,
        "dilation": window.dilation,
    }
    y = node.add(MaxPool2D, [channels_last(node, x)], "", integers=True, **fields)
    return [channels_first(node, y, len(x.shape))]


def from_onnx_global(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX GlobalMaxPool over one or two dimensions."""
    x = node.tensor(0)
    last = channels_last(node, x) if len(x.shape) in (3, 4) else node.tensor(0, rank=4)
    kernel = (last.shape[1], last.shape[2])
    fields: dict[str, Any] = {"kernel": kernel, "stride": (1, 1), "padding": ((0, 0), (0, 0)), "clamp": NO_CLAMP}
    return [channels_first(node, node.add(MaxPool2D, [last], "", integers=True, **fields), len(x.shape))]


ONNX = {"GlobalMaxPool": from_onnx_global, "MaxPool": exact_in_float(from_onnx)}
