"""ONNX's int8, uint8 and int32 values that have no scale, in operators that midge has for floats.

Values of 8 bits, their sums, products and quotients are exact in float32: they are computed so and come back with the
low bits, as integers wrap. Of int32 values the larger and the smaller are chosen by a comparison.
"""

from __future__ import annotations

from dataclasses import replace

from midge.ir.graph import Op
from midge.ir.tensor import DType, Tensor
from midge.ops.cast import Cast
from midge.ops.onnx_nodes import OnnxNode, OnnxReader
from midge.ops.select_v2 import SelectV2


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


def chosen(comparison: type[Op], read: OnnxReader) -> OnnxReader:
    """The reader `read` of Max or Min, for int32 values too: of x and y it is x where the comparison holds."""

    def reading(node: OnnxNode) -> list[Tensor]:
        if {t.dtype for t in node.inputs if t is not None} != {DType.S32}:
            return list(read(node))
        found, *others = (node.tensor(i) for i in range(len(node.inputs)))
        for place, other in enumerate(others, 1):
            holds = node.add(comparison, [found, other], f"holds{place}", integers=True, dtype=DType.BOOL)
            role = "" if place == len(others) else f"part{place}"
            found = node.add(SelectV2, [holds, found, other], role, integers=True, dtype=DType.S32)
        return [found]

    return reading
