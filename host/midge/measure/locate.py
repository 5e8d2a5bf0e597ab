"""Which layer is the first whose output differs: cuts the network shorter and shorter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.measure.agreement import agreement
from midge.run.device import Device, Interpreter, Sample

# The inputs of samples that follow each other from a reset on; one sample for a network that remembers nothing.
Stream = Sequence[Sequence[Array]]
# Compiles a graph, runs it over a stream, and gives the outputs of the last sample.
RunGraph = Callable[[Graph, Stream], Sample]


def infer_stream(graph: Graph, device: Device, stream: Stream) -> Sample:
    """The last sample of a stream on `device`, which forgets first what there is to forget."""
    if graph.updates:
        device.reset()
    for inputs in stream[:-1]:
        device.infer(inputs)
    return device.infer(stream[-1])


def first_difference(graph: Graph, stream: Stream, run: RunGraph) -> str | None:
    """The name of the first layer where `run` and the interpreter part; None when they agree to the end.

    A layer that differs is taken to make all that follow differ, so that bisection finds it in a few builds.
    """

    def differs(count: int) -> bool:
        part = head(graph, count)
        expected = infer_stream(part, Interpreter(part), stream)
        return agreement(run(part, stream).outputs, expected.outputs).mismatches > 0

    low, high = 0, len(graph.ops)
    if not differs(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if differs(middle) else (middle, high)
    return graph.ops[high - 1].name


def head(graph: Graph, count: int) -> Graph:
    """The network's first `count` ops (at least 1), with the last one's outputs as its outputs.

    A state whose next value they do not compute stays as it is.
    """
    ops = graph.ops[:count]
    known = {*graph.sources, *(name for op in ops for name in op.outputs)}
    updates = {state: update if update in known else state for state, update in graph.updates.items()}
    return replace(graph, outputs=ops[-1].outputs, updates=updates).with_ops(ops)
