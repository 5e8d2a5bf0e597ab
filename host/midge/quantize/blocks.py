"""A network in blocks: a few layers each, with one activation going in and one coming out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from midge.ir.graph import Graph, Op
from midge.quantize.backward import can_pull_back

# A block is closed behind a layer that mixes channels once it has so many layers with weights.
_LAYERS = 2


@dataclass(frozen=True, eq=False)
class Block:
    """Operators in order, the activation that they read and the one that later operators read."""

    ops: tuple[Op, ...]
    source: str
    result: str


def blocks(graph: Graph) -> tuple[Block, ...]:
    """The blocks of `graph` that have weights and that gradients can be brought through, in order.

    Layers around a residual connection are in one block. What lies between blocks is left out.
    """
    found: list[Block] = []
    start = 0
    for end in _cuts(graph):
        ops = graph.ops[start:end]
        if not _is_full(graph, ops) and end < len(graph.ops):
            continue
        start = end
        while ops and not _has_weights(graph, ops[-1]) and not can_pull_back(graph, ops[-1]):
            ops = ops[:-1]
        sources = _sources(graph, ops)
        if ops and len(sources) == 1 and all(can_pull_back(graph, op) for op in ops) and _weighted(graph, ops):
            found.append(Block(tuple(ops), sources[0], ops[-1].outputs[0]))
    return tuple(found)


def _cuts(graph: Graph) -> list[int]:
    """Behind how many operators exactly one activation is alive."""
    last = {name: index for index, op in enumerate(graph.ops) for name in op.inputs}
    last |= {name: len(graph.ops) for name in graph.results}
    found, alive = [], set(graph.inputs)
    for index, op in enumerate(graph.ops):
        alive |= set(op.outputs)
        alive = {name for name in alive if last.get(name, -1) > index}
        if len(alive) <= 1:
            found.append(index + 1)
    return found


def _is_full(graph: Graph, ops: Sequence[Op]) -> bool:
    layers = _weighted(graph, ops)
    if not layers or not can_pull_back(graph, ops[-1]):
        return bool(ops) and not can_pull_back(graph, ops[-1])
    mixes = any(not _is_depthwise(graph, op) for op in layers[-1:])
    return mixes and len(layers) >= _LAYERS


def _weighted(graph: Graph, ops: Sequence[Op]) -> list[Op]:
    return [op for op in ops if _has_weights(graph, op)]


def _has_weights(graph: Graph, op: Op) -> bool:
    return bool(op.weight_axis) and op.as_matrix(graph.inputs_of(op)) is not None


def _is_depthwise(graph: Graph, op: Op) -> bool:
    axes = op.weight_channels(graph.inputs_of(op))
    return axes is not None and axes[0] == axes[1]


def _sources(graph: Graph, ops: Sequence[Op]) -> list[str]:
    made = {name for op in ops for name in op.outputs}
    read = [n for op in ops for n in op.inputs if not graph.tensors[n].is_constant and n not in made]
    return list(dict.fromkeys(read))
