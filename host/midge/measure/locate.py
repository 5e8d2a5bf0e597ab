"""Which layer is the first whose output differs: cuts the network shorter and shorter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from midge.ir.graph import Array, Graph
from midge.measure.agreement import agreement
from midge.run.device import Interpreter, Sample

# Compiles a graph, runs one sample of it, and gives the outputs.
RunGraph = Callable[[Graph, Sequence[Array]], Sample]


def first_difference(graph: Graph, inputs: Sequence[Array], run: RunGraph) -> str | None:
    """The name of the first layer where `run` and the interpreter part; None when they agree to the end.

    A layer that differs is taken to make all that follow differ, so that bisection finds it in a few builds.
    """

    def differs(count: int) -> bool:
        part = head(graph, count)
        return agreement(run(part, inputs).outputs, Interpreter(part).infer(inputs).outputs).mismatches > 0

    low, high = 0, len(graph.ops)
    if not differs(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if differs(middle) else (middle, high)
    return graph.ops[high - 1].name


def head(graph: Graph, count: int) -> Graph:
    """The network's first `count` ops (at least 1), with the last one's outputs as its outputs."""
    ops = graph.ops[:count]
    return replace(graph, outputs=ops[-1].outputs).with_ops(ops)
