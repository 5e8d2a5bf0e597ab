"""Which layers of a network keep floats when it is quantized."""

from __future__ import annotations

from collections.abc import Collection

from midge.ir.graph import Graph, Op
from midge.ir.tensor import DType


def float_layers(graph: Graph) -> frozenset[str]:
    """The layers of float `graph` that say so themselves, and those that indices alone are made of.

    An index is no value with a tolerance: rounded to 8 bits it is another one, and a large one cannot be said at all.
    """
    own = {op.name for op in graph.ops if op.stays_float(graph.inputs_of(op), graph.outputs_of(op))}
    exact = {op.name for op in graph.ops if op.name in own and _makes_whole(graph, op)}
    for op in reversed(graph.ops):
        outputs = [t.name for t in graph.outputs_of(op) if t.dtype is DType.F32]
        plain = (op.is_elementwise or op.is_view) and not op.weight_axis
        if plain and outputs and all(only_floats_read(graph, name, exact) for name in outputs):
            exact.add(op.name)
    return frozenset(own | exact)


def only_floats_read(graph: Graph, name: str, floats: Collection[str]) -> bool:
    """Whether the layers `floats` read the float tensor `name`, and nothing else does."""
    readers = graph.consumers(name)
    used = graph.tensors[name].dtype is DType.F32 and name not in graph.results and bool(readers)
    return used and all(op.name in floats for op in readers)


def _makes_whole(graph: Graph, op: Op) -> bool:
    """Whether it turns each float into a whole number or a truth."""
    kinds = {t.dtype for t in graph.outputs_of(op)}
    return op.family == "cast" and DType.F32 not in kinds
