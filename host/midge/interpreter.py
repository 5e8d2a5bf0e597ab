"""The definition: runs a graph in numpy, one op after the other, float and integer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from midge.errors import DataError
from midge.ir.graph import Graph
from midge.ir.tensor import Array

# What a network remembers: the value of each state by its name.
States = Mapping[str, Array]


def interpret(graph: Graph, inputs: Sequence[Array]) -> list[Array]:
    """The graph's outputs for one sample after a reset; `inputs` have the shapes and types of the graph's inputs."""
    values = interpret_all(graph, inputs)
    return [values[name] for name in graph.outputs]


def interpret_all(graph: Graph, inputs: Sequence[Array], states: States | None = None) -> Mapping[str, Array]:
    """The value of every tensor, by name, for one sample; `states` are those before the call, else as after a reset."""
    values: dict[str, Array] = {name: t.data for name, t in graph.tensors.items() if t.data is not None}
    values |= initial_states(graph) if states is None else states
    for tensor, value in zip(graph.input_tensors, inputs, strict=True):
        if value.shape != tensor.shape or value.dtype != tensor.dtype.numpy:
            raise DataError(
                f"input {tensor.name} wants {tensor.dtype.value}{list(tensor.shape)}, "
                f"got {value.dtype}{list(value.shape)}"
            )
        values[tensor.name] = value
    for op in graph.ops:
        results = op.evaluate(graph.inputs_of(op), graph.outputs_of(op), [values[n] for n in op.inputs])
        values.update(zip(op.outputs, results, strict=True))
    return values


def initial_states(graph: Graph) -> States:
    """What the network remembers after a reset."""
    return {t.name: t.initial for t in graph.states if t.initial is not None}


def next_states(graph: Graph, values: Mapping[str, Array]) -> States:
    """What the network remembers after a call that gave `values`, as from interpret_all."""
    return {state: values[update] for state, update in graph.updates.items()}
