"""Operators that no output depends on go, and with them the tensors that nothing names any more."""

from __future__ import annotations

from midge.ir.graph import Graph, Op


def drop_dead(graph: Graph) -> Graph:
    """The graph with only the operators that its outputs need; inputs stay even when nothing reads them."""
    needed = set(graph.outputs)
    kept: list[Op] = []
    for op in reversed(graph.ops):
        if needed.intersection(op.outputs):
            needed.update(op.inputs)
            kept.append(op)
    return graph.with_ops(kept[::-1])
