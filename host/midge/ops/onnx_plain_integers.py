"""ONNX's integers that have no scale, in operators that midge has for floats or int32.

Values of 8 bits, their sums, products and quotients are exact in float32: they are computed so and come back with the
low bits, as integers wrap. Int64 is computed as int32, which holds what counts and indexes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from midge.ir.tensor import DType, Tensor
from midge.ops.cast import Cast
from midge.ops.formats import UnsupportedOp
from midge.ops.onnx_nodes import OnnxNode, OnnxReader

WHOLE = frozenset({DType.S32, DType.S64})


def exact_in_float(read: OnnxReader) -> OnnxReader:
    """The reader `read` of an operator on floats, for plain values of 8 bits too."""

    def reading(node: OnnxNode) -> list[Tensor]:
        kinds = {t.dtype for t in node.inputs if t is not None}
        if kinds not in ({DType.U8}, {DType.S8}) or any(t is not None and t.quant is not None for t in node.inputs):
            return list(read(node))
        inputs = tuple(t and as_float(node, t, f"x{i}") for i, t in enumerate(node.inputs))
        y, *others = read(replace(node, inputs=inputs, name=f"{node.name}/float"))
        whole = node.add(Cast, [y], "int32", dtype=DType.S32)
        return [node.add(Cast, [whole], "", integers=True, dtype=kinds.pop()), *others]

    return reading


def as_float(node: OnnxNode, x: Tensor, role: str) -> Tensor:
    """The integers x as floats."""
    if x.data is not None:
        return node.new_constant(role, x.data)
    return node.add(Cast, [x], role, integers=True, dtype=DType.F32)


def on_whole(whole: OnnxReader, read: OnnxReader) -> OnnxReader:
    """The reader `whole` where all inputs are int32 or int64, which it sees as int32; else `read`."""

    def reading(node: OnnxNode) -> list[Tensor]:
        given = [t for t in node.inputs if t is not None]
        if not all(t.dtype in WHOLE and t.quant is None for t in given):
            return list(read(node))
        inputs = tuple(t and as_whole(node, t, f"whole{i}") for i, t in enumerate(node.inputs))
        return list(whole(replace(node, inputs=inputs)))

    return reading


def as_whole(node: OnnxNode, x: Tensor, role: str) -> Tensor:
    """The whole numbers x as int32. Raises UnsupportedOp for a constant that int32 does not hold."""
    if x.dtype is DType.S32:
        return x
    if x.data is None:
        return node.add(Cast, [x], role, integers=True, dtype=DType.S32)
    data = x.data.astype(np.int32)
    if (data != x.data).any():
        raise UnsupportedOp(f"the constant {x.name} is beyond int32", "export the model with smaller whole numbers")
    return replace(x, name=node.sketch.fresh(f"{node.name}/{role}"), dtype=DType.S32, data=data)
