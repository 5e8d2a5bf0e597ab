"""What a network computes in, as reports and commands call it."""

from __future__ import annotations

from typing import Literal

from midge.ir.graph import Graph
from midge.ir.tensor import DType
from midge.measure.agreement import has_dynamic_layers

Computes = Literal["int8", "int16x8", "mixed", "dynamic", "float"]


def precision_of(graph: Graph) -> Computes:
    """`mixed`: quantized activations of 8 and of 16 bits; `dynamic`: float ones beside weights of 8 bits."""
    if graph.is_float:
        return "dynamic" if has_dynamic_layers(graph) else "float"
    quantized = {t.dtype for t in graph.tensors.values() if not t.is_constant and t.quant is not None}
    if DType.S16 not in quantized:
        return "int8"
    return "int16x8" if quantized == {DType.S16} else "mixed"
