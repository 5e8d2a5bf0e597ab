"""Operators that no output depends on go, and with them the tensors that nothing names any more."""

from __future__ import annotations

from dataclasses import replace

from midge.ir.graph import Graph


def drop_dead(graph: Graph) -> Graph:
    """The graph with only the operators that its outputs need; inputs stay even when nothing reads them.

    A state is needed, and with it what its next value is made from, when something reads it that is needed.
    """
    needed = set(graph.outputs)
    size = 0
    while size != (size := len(needed)):
        needed.update(update for state, update in graph.updates.items() if state in needed)
        for op in reversed(graph.ops):
            if needed.intersection(op.outputs):
                needed.update(op.inputs)
    updates = {state: update for state, update in graph.updates.items() if state in needed}
    return replace(graph, updates=updates).with_ops([op for op in graph.ops if needed.intersection(op.outputs)])
