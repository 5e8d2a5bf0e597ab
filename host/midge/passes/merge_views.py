"""A view of a view reads what the first one reads."""

from __future__ import annotations

from midge.ir.graph import Graph, Op
from midge.ir.rewrite import rewire


def merge_views(graph: Graph) -> Graph:
    """The graph with every view taken of the original tensor; drop_dead removes views that nothing reads then."""
    source: dict[str, str] = {}
    ops: list[Op] = []
    for op in graph.ops:
        if op.is_view:
            op = rewire(op, {op.inputs[0]: source.get(op.inputs[0], op.inputs[0])})
            if graph.tensors[op.inputs[0]].quant == graph.tensors[op.outputs[0]].quant:
                source[op.outputs[0]] = op.inputs[0]
        ops.append(op)
    return graph.with_ops(ops)
