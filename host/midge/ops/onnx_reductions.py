"""ONNX's reductions, the place of an extreme, and the normalizations that are made of them."""

from __future__ import annotations

from math import prod

import numpy as np

from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import DType, Tensor
from midge.ops.abs import Abs
from midge.ops.add import Add
from midge.ops.arg_max import ArgMax
from midge.ops.arg_min import ArgMin
from midge.ops.cast import Cast
from midge.ops.exp import Exp
from midge.ops.families.arg import Arg
from midge.ops.families.reduction import Reduction
from midge.ops.formats import UnsupportedOp
from midge.ops.layer_normalization import LayerNormalization
from midge.ops.log import Log
from midge.ops.mean import Mean
from midge.ops.mul import Mul
from midge.ops.onnx_nodes import OnnxNode, OnnxReader
from midge.ops.reduce_max import ReduceMax
from midge.ops.reduce_min import ReduceMin
from midge.ops.reduce_prod import ReduceProd
from midge.ops.reverse_v2 import ReverseV2
from midge.ops.rsqrt import Rsqrt
from midge.ops.sqrt import Sqrt
from midge.ops.square import Square
from midge.ops.sub import Sub
from midge.ops.sum import Sum


def _axes(node: OnnxNode, rank: int) -> tuple[int, ...]:
    """The axes to reduce: no axes are all axes, unless the file says that none means none."""
    axes = node.axes(1, rank)
    if axes:
        return axes
    return () if node.attributes.get("noop_with_empty_axes", 0) else tuple(range(rank))


def _reduced(node: OnnxNode, kind: type[Reduction], x: Tensor, role: str = "") -> Tensor:
    axes = _axes(node, len(x.shape))
    return node.add(kind, [x], role, axes=axes, keep_dims=bool(node.attributes.get("keepdims", 1))) if axes else x


def _reduction(kind: type[Reduction]) -> OnnxReader:
    return lambda node: [_reduced(node, kind, node.tensor(0))]


def _sum_of_squares(node: OnnxNode) -> list[Tensor]:
    return [_reduced(node, Sum, node.add(Square, [node.tensor(0)], "square"))]


def _l2(node: OnnxNode) -> list[Tensor]:
    return [node.add(Sqrt, [_reduced(node, Sum, node.add(Square, [node.tensor(0)], "square"), "sum")], "")]


def _l1(node: OnnxNode) -> list[Tensor]:
    return [_reduced(node, Sum, node.add(Abs, [node.tensor(0)], "size"))]


def _log_sum(node: OnnxNode) -> list[Tensor]:
    return [node.add(Log, [_reduced(node, Sum, node.tensor(0), "sum")], "")]


def _log_sum_exp(node: OnnxNode) -> list[Tensor]:
    """max + log(sum(e^(x - max))), which does not overflow."""
    x = node.tensor(0)
    axes = _axes(node, len(x.shape))
    if not axes:
        return [x]
    largest = node.add(ReduceMax, [x], "largest", axes=axes, keep_dims=True)
    below = node.add(Exp, [node.add(Sub, [x, largest], "below", clamp=NO_CLAMP)], "exp")
    total = node.add(Log, [node.add(Sum, [below], "total", axes=axes, keep_dims=True)], "log")
    result = node.add(Add, [total, largest], "", clamp=NO_CLAMP)
    if node.attributes.get("keepdims", 1):
        return [result]
    return [node.reshape(result, (n for i, n in enumerate(result.shape) if i not in axes), "shape")]


def _global_average(node: OnnxNode) -> list[Tensor]:
    x = node.tensor(0)
    return [node.add(Mean, [x], "", axes=tuple(range(2, len(x.shape))), keep_dims=True)]


def _arg(kind: type[Arg]) -> OnnxReader:
    """The index as int32, where the file says int64: no index is larger."""

    def read(node: OnnxNode) -> list[Tensor]:
        x = node.tensor(0)
        axis = node.axis(int(node.attributes.get("axis", 0)), len(x.shape))
        if node.attributes.get("select_last_index", 0):
            place = _last(node, kind, x, axis)
        else:
            place = node.add(kind, [x], "", dtype=DType.S32, axis=axis)
        if not node.attributes.get("keepdims", 1):
            return [place]
        return [node.reshape(place, (*x.shape[:axis], 1, *x.shape[axis + 1 :]), "keepdims")]

    return read


def _last(node: OnnxNode, kind: type[Arg], x: Tensor, axis: int) -> Tensor:
    """The place of the last extreme: the first one from behind, counted from the front, in floats that hold it."""
    n = x.shape[axis]
    if n > 1 << 24:
        raise UnsupportedOp(f"the last of {n} values", "take the first: select_last_index = 0")
    backwards = node.add(ReverseV2, [x], "backwards", axes=(axis,))
    behind = node.add(
        Cast,
        [node.add(kind, [backwards], "from_behind", dtype=DType.S32, axis=axis)],
        "real",
        integers=True,
        dtype=DType.F32,
    )
    ahead = node.add(Sub, [node.new_constant("end", np.array(n - 1.0)), behind], "ahead", clamp=NO_CLAMP)
    return node.add(Cast, [ahead], "", dtype=DType.S32)


def _log_softmax(node: OnnxNode) -> list[Tensor]:
    """x - max - log(sum(e^(x - max))), which neither overflows nor takes the logarithm of 0."""
    x = node.tensor(0)
    rank = len(x.shape)
    if node.version < 13:
        axis = node.axis(int(node.attributes.get("axis", 1)), rank)
        axes = tuple(range(axis, rank))
    else:
        axes = (node.axis(int(node.attributes.get("axis", -1)), rank),)
    largest = node.add(ReduceMax, [x], "largest", axes=axes, keep_dims=True)
    below = node.add(Sub, [x, largest], "below", clamp=NO_CLAMP)
    total = node.add(Sum, [node.add(Exp, [below], "exp")], "total", axes=axes, keep_dims=True)
    return [node.add(Sub, [below, node.add(Log, [total], "log")], "", clamp=NO_CLAMP)]


def _layer_normalization(node: OnnxNode) -> list[Tensor]:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias over the last axes; then mean and inverse deviation."""
    x, scale, bias = node.tensor(0), node.tensor(1), node.optional(2)
    rank = len(x.shape)
    axes = tuple(range(node.axis(int(node.attributes.get("axis", -1)), rank), rank))
    if not any(node.used[1:]) and scale.is_constant and (bias is None or bias.is_constant):
        return [_one_layer_normalization(node, x, axes[0], scale, bias)]
    mean = node.add(Mean, [x], "mean", axes=axes, keep_dims=True)
    centered = node.add(Sub, [x, mean], "centered", clamp=NO_CLAMP)
    variance = node.add(Mean, [node.add(Square, [centered], "square")], "variance", axes=axes, keep_dims=True)
    epsilon = node.new_constant("epsilon", np.array(float(node.attributes.get("epsilon", 1e-5))))
    inverse = node.add(Rsqrt, [node.add(Add, [variance, epsilon], "above_zero", clamp=NO_CLAMP)], "inverse")
    normal = node.add(Mul, [centered, inverse], "normal", clamp=NO_CLAMP)
    scaled = node.add(Mul, [normal, scale], "" if bias is None else "scaled", clamp=NO_CLAMP)
    result = scaled if bias is None else node.add(Add, [scaled, bias], "", clamp=NO_CLAMP)
    return [result, mean, inverse]


def _one_layer_normalization(node: OnnxNode, x: Tensor, axis: int, scale: Tensor, bias: Tensor | None) -> Tensor:
    """The axes from `axis` on seen as one."""
    shape = x.shape[axis:]
    rows = node.reshape(x, (*x.shape[:axis], prod(shape)), "rows")
    constants = [
        node.new_constant(role, np.broadcast_to(0 if t is None else np.asarray(t.data), shape).reshape(-1))
        for role, t in (("scale", scale), ("offset", bias))
    ]
    epsilon = float(node.attributes.get("epsilon", 1e-5))
    return node.reshape(node.add(LayerNormalization, [rows, *constants], "", epsilon=epsilon), x.shape, "shape")


ONNX: dict[str, OnnxReader] = {
    "ArgMax": _arg(ArgMax),
    "ArgMin": _arg(ArgMin),
    "GlobalAveragePool": _global_average,
    "LayerNormalization": _layer_normalization,
    "LogSoftmax": _log_softmax,
    "ReduceL1": _l1,
    "ReduceL2": _l2,
    "ReduceLogSum": _log_sum,
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceMax": _reduction(ReduceMax),
    "ReduceMean": _reduction(Mean),
    "ReduceMin": _reduction(ReduceMin),
    "ReduceProd": _reduction(ReduceProd),
    "ReduceSum": _reduction(Sum),
    "ReduceSumSquare": _sum_of_squares,
}
