"""The second output of ONNX's MaxPool: where in the whole input the largest value of each window lies.

Windows are rows of a gathered tensor, the place within one is an ARG_MAX, and a table says how far into the input that
is from where the window starts. Places are added up in floats that hold them.
"""

from __future__ import annotations

from math import prod

import numpy as np

from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import Array, DType, Tensor
from midge.ops.add import Add
from midge.ops.arg_max import ArgMax
from midge.ops.cast import Cast
from midge.ops.formats import UnsupportedOp
from midge.ops.gather import Gather
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.onnx_windows import OnnxWindow
from midge.ops.take import Take

_MOST = 1 << 24


def pool_places(node: OnnxNode, x: Tensor, window: OnnxWindow, out: tuple[int, int]) -> Tensor:
    """Places in x (N, C, L) or (N, C, H, W) as int32, shape (N, C, *out); of equal values the first counts.

    `storage_order` 1 counts each plane column by column. Raises UnsupportedOp for inputs of more than 2^24 elements.
    """
    if x.elements > _MOST:
        raise UnsupportedOp(f"places among {x.elements} values", f"pool at most {_MOST} values at once")
    height, width = (1, *x.shape[2:])[-2:]
    planes = prod(x.shape[:2])
    rows, columns = (
        _chosen(size, count, window.kernel[i], window.stride[i], window.dilation[i], window.padding[i][0])
        for i, (size, count) in enumerate(zip((height, width), out, strict=True))
    )
    by_row, by_column = (1, height) if node.attributes.get("storage_order", 0) else (width, 1)
    taps = _taps(node, node.reshape(x, (planes, height, width), "planes"), rows, columns)
    within = node.add(ArgMax, [taps], "within", dtype=DType.S32, axis=3)
    table = node.new_constant("steps", _steps(window, by_row, by_column).reshape(-1))
    found = node.add(Take, [table, within], "step", integers=True, axis=0)
    starts = by_row * rows[:, :1] + by_column * columns[:, 0]
    found = node.add(Add, [found, node.new_constant("starts", starts[None])], "in_plane", clamp=NO_CLAMP)
    first = np.arange(planes).reshape(planes, 1, 1) * (height * width)
    found = node.add(Add, [found, node.new_constant("first", first)], "in_all", clamp=NO_CLAMP)
    whole = node.add(Cast, [found], "int32", dtype=DType.S32)
    return node.reshape(whole, (*x.shape[:2], *(out if len(x.shape) == 4 else out[1:])), "places")


def _chosen(size: int, count: int, kernel: int, stride: int, dilation: int, before: int) -> Array:
    """The indices of each window along an axis, (count, kernel), without padding; each window has a value.

    A window that starts in the padding starts at its first value instead; past its last value it repeats that, which
    is never the first of equal ones.
    """
    begin = np.arange(count) * stride - before
    first = begin + dilation * np.maximum(-(begin // dilation), 0)
    inside = first + (size - 1 - first) // dilation * dilation
    last = np.minimum(begin + dilation * (kernel - 1), inside)
    return np.minimum(first[:, None] + dilation * np.arange(kernel), last[:, None])


def _steps(window: OnnxWindow, by_row: int, by_column: int) -> Array:
    """How far each value of a window is from its first one."""
    down, right = (d * np.arange(k) for d, k in zip(window.dilation, window.kernel, strict=True))
    return by_row * down[:, None] + by_column * right


def _taps(node: OnnxNode, x: Tensor, rows: Array, columns: Array) -> Tensor:
    """The windows over x (planes, H, W) as (planes, out_h, out_w, values of a window)."""
    flat = tuple(rows.reshape(-1).tolist()), tuple(columns.reshape(-1).tolist())
    lines = node.add(Gather, [x], "rows", integers=True, axis=1, indices=flat[0], shape=rows.shape)
    taps = node.add(Gather, [lines], "columns", integers=True, axis=3, indices=flat[1], shape=columns.shape)
    ordered = node.transpose(taps, (0, 1, 3, 2, 4), "windows")
    return node.reshape(ordered, (*ordered.shape[:3], prod(ordered.shape[3:])), "values")
