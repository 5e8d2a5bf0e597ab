"""When each buffer is alive: from a selection of kernels to the planner's problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from midge.ir.graph import Graph
from midge.kernels.select import Selection
from midge.memory.plan import Buffer, Overlap

ALIGNMENT = 4


@dataclass(frozen=True)
class Lifetimes:
    """The planner's problem, and which buffer each activation is in (views share their input's).

    Scratch memory is a buffer called `scratch_name(layer)` that is alive during its layer alone. `states` are alive
    always; the next value of a state is in the state's buffer.
    """

    buffers: tuple[Buffer, ...]
    overlaps: tuple[Overlap, ...]
    buffer_of: Mapping[str, str]
    states: tuple[Buffer, ...] = ()


def scratch_name(layer: str) -> str:
    """The name of a layer's scratch buffer."""
    return f"scratch of {layer}"


def lifetimes(selection: Selection) -> Lifetimes:
    """Step i is op i; inputs are alive from step 0, outputs until after the last op.

    A graph input stays its caller's until the run begins and may be overwritten from then on.
    """
    graph = selection.graph
    buffer_of = _roots(graph)
    steps: dict[str, list[int]] = {name: [] for name in buffer_of.values()}
    uses = [(name, step) for step, op in enumerate(graph.ops) for name in (*op.inputs, *op.outputs)]
    uses += [(name, 0) for name in graph.inputs] + [(name, len(graph.ops)) for name in graph.outputs]
    for name, step in uses:
        if name in buffer_of:
            steps[buffer_of[name]].append(step)
    always = 0, max(len(graph.ops) - 1, 0)
    states = tuple(Buffer(t.name, t.bytes, *always, ALIGNMENT) for t in graph.states)
    buffers = [
        Buffer(n, graph.tensors[n].bytes, min(at), max(at), ALIGNMENT)
        for n, at in steps.items()
        if n not in graph.updates
    ]
    overlaps = []
    for layer, variant in selection.layers():
        step = graph.ops.index(layer.op)
        if scratch := variant.scratch_bytes(layer):
            buffers.append(Buffer(scratch_name(layer.op.name), scratch, step, step, ALIGNMENT))
        distance = variant.overlap(layer)
        source, target = buffer_of.get(next(iter(layer.op.inputs), "")), buffer_of[layer.op.outputs[0]]
        if source in graph.updates or target in graph.updates:
            continue
        if distance is not None and source and max(steps[source]) == step == min(steps[target]):
            overlaps.append(Overlap(target, source, distance))
    return Lifetimes(tuple(buffers), tuple(overlaps), buffer_of, states)


def _roots(graph: Graph) -> dict[str, str]:
    """Each activation's buffer: itself, the root of the views that lead to it, or the state whose next value it is."""
    roots = {name: name for name, t in graph.tensors.items() if not t.is_constant}
    roots |= {update: state for state, update in graph.updates.items()}
    for op in graph.ops:
        if op.is_view:
            roots[op.outputs[0]] = roots[op.inputs[0]]
    return roots
