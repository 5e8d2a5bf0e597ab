"""Which layers a step works on, and the constant weights that it may change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from midge.errors import SettingsError
from midge.ir.graph import Graph, Op
from midge.ir.tensor import DType, Tensor

# Types of weights that steps change: those of float networks, and of int8 and int16x8 ones.
WEIGHT_TYPES = (DType.F32, DType.S8)


class CompressionNote(UserWarning):
    """A step left something as it was, or did what needs a word: told in a line, and not an error."""


@dataclass(frozen=True, eq=False)
class Weights:
    """One constant tensor of weights, with a channel for each index of `axis`, and the layers that compute with it."""

    tensor: Tensor
    axis: int
    ops: tuple[Op, ...]


def chosen_layers(graph: Graph, names: Sequence[str]) -> tuple[Op, ...]:
    """The layers with constant weights that are called `names`, all where there are none, in the graph's order.

    Raises SettingsError for a name that is not one of theirs.
    """
    layers = {op.name: op for op in graph.ops if any(True for _ in _constant_weights(graph, op))}
    for name in names:
        if name not in layers:
            what = "has no weights" if any(op.name == name for op in graph.ops) else "is no layer"
            raise SettingsError(
                f"{name} {what} of {graph.name}", hint=f"layers with weights: {', '.join(layers) or 'none'}"
            )
    return tuple(op for name, op in layers.items() if not names or name in names)


def chosen_weights(graph: Graph, names: Sequence[str]) -> tuple[Weights, ...]:
    """The weights of chosen_layers, each tensor once. Raises SettingsError as that does."""
    found: dict[str, Weights] = {}
    for op in chosen_layers(graph, names):
        for tensor, axis in _constant_weights(graph, op):
            known = found.get(tensor.name)
            ops = (op,) if known is None else (*known.ops, op)
            found[tensor.name] = Weights(tensor, axis, ops)
    return tuple(found.values())


def _constant_weights(graph: Graph, op: Op) -> Iterator[tuple[Tensor, int]]:
    for index, axis in op.weight_axis.items():
        if index < len(op.inputs):
            tensor = graph.tensors[op.inputs[index]]
            if tensor.is_constant and tensor.dtype in WEIGHT_TYPES:
                yield tensor, axis
