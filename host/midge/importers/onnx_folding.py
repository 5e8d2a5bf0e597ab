"""Nodes on constants are computed when the file is read, by ONNX's own reference implementation.

Exporters scatter them: Shape, Gather and Concat in front of a Reshape, weights behind a DequantizeLinear. Only
operators whose result has a size that is known beforehand are computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from onnx import helper
from onnx.reference import ReferenceEvaluator

from midge.importers.flatbuffer import DamagedFile
from midge.ir.tensor import Array

_MOST_ELEMENTS = 16 << 20

_ELEMENTWISE = """Abs Add And Cast Ceil Clip DequantizeLinear Div Equal Exp Floor Greater GreaterOrEqual Identity Less
LessOrEqual Log Max Min Mod Mul Neg Not Or Pow QuantizeLinear Reciprocal Relu Round Sign Sqrt Sub Where Xor"""
_SHRINKING = """Concat Flatten ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
ReduceSum ReduceSumSquare Reshape Shape Size Slice Split Squeeze Transpose Unsqueeze"""
_GROWING = "ConstantOfShape Expand Gather Range Tile"
FOLDABLE = frozenset(f"{_ELEMENTWISE} {_SHRINKING} {_GROWING}".split())

# The reference has these from an opset on, which only added types.
_OLDEST_IMPLEMENTED = {"DequantizeLinear": 19, "QuantizeLinear": 19}


def fold(node: Any, opsets: Mapping[str, int], inputs: Sequence[Array | None]) -> list[Array]:
    """The outputs of a node of FOLDABLE. Raises DamagedFile when they cannot be, or are too large."""
    if (elements := _elements(node.op_type, inputs)) > _MOST_ELEMENTS:
        raise DamagedFile(f"this {node.op_type} of constants has {elements} elements")
    names = {name: value for name, value in zip(node.input, inputs, strict=True) if name}
    wanted = [name for name in node.output if name]
    graph = helper.make_graph(
        [node],
        "constant",
        [helper.make_empty_tensor_value_info(name) for name in names],
        [helper.make_empty_tensor_value_info(name) for name in wanted],
    )
    versions = {**opsets, "": max(opsets[""], _OLDEST_IMPLEMENTED.get(node.op_type, 0))}
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(d, v) for d, v in versions.items()])
    try:
        with np.errstate(all="ignore"):
            found = ReferenceEvaluator(model).run(None, names)
    except Exception as problem:  # whatever the reference raises, the file asked for it
        raise DamagedFile(f"this {node.op_type} of constants cannot be: {problem}") from problem
    results = dict(zip(wanted, (np.asarray(value) for value in found), strict=True))
    return [results.get(name, np.zeros(0)) for name in node.output]


def _elements(code: str, inputs: Sequence[Array | None]) -> int:
    """No fewer elements than the result will have."""
    arrays = [value for value in inputs if value is not None]
    sizes = [value.size for value in arrays]
    if code in ("ConstantOfShape", "Expand"):
        target = arrays[-1].reshape(-1)[:16].tolist() if arrays else []
        return prod(max(int(n), 1) for n in target) * (max(sizes) if code == "Expand" else 1)
    if code == "Tile":
        return sizes[0] * prod(max(int(n), 1) for n in arrays[-1].reshape(-1)[:16])
    if code == "Gather":
        return prod(sizes)
    if code == "Range":
        start, limit, delta = (float(value.reshape(-1)[0]) if value.size else 0.0 for value in arrays[:3])
        count = (limit - start) / delta if delta else np.inf
        return int(max(count, 0)) if np.isfinite(count) else _MOST_ELEMENTS + 1
    if code in _ELEMENTWISE.split():
        rank = max((value.ndim for value in arrays), default=0)
        return prod(max((v.shape[-i] if i <= v.ndim else 1) for v in arrays) for i in range(1, rank + 1))
    return sum(sizes)
