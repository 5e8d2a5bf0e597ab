"""The definition: runs a graph in numpy, one op after the other, float and integer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from midge.errors import DataError
from midge.ir.graph import Array, Graph


def interpret(graph: Graph, inputs: Sequence[Array]) -> list[Array]:
    """The graph's outputs for one sample; `inputs` have the shapes and types of the graph's inputs."""
    values = interpret_all(graph, inputs)
    return [values[name] for name in graph.outputs]


def interpret_all(graph: Graph, inputs: Sequence[Array]) -> Mapping[str, Array]:
    """The value of every tensor, by name, for one sample."""
    values: dict[str, Array] = {name: t.data for name, t in graph.tensors.items() if t.data is not None}
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
