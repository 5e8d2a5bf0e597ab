"""The steps of an unrolled recurrent network share the ranges of their activations.

ONNX and Keras write a GRU or an LSTM step by step. With ranges of their own the steps would have scales of their own,
and so biases, multipliers and tables of their own: all of them in flash. With shared ones a step's constants are those
of every other. TensorFlow Lite's own LSTM has one scale for all steps, too.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields

from midge.ir.graph import Graph, Op
from midge.quantize.ranges import Range, united

# Networks of fewer steps gain little; a network that uses a few weights twice or thrice is no recurrent one.
_FEWEST_STEPS = 8
# How far two operators must have equal neighbors to be taken for one of two steps.
_RADIUS = 4


def share_among_repeats(graph: Graph, ranges: Mapping[str, Range]) -> Mapping[str, Range]:
    """The ranges, united among the repetitions of an activation where many layers have the very same weights."""
    if not _repeats_weights(graph):
        return ranges
    groups: dict[tuple[str, int], list[str]] = {}
    for op, label in zip(graph.ops, _labels(graph), strict=True):
        for place, name in enumerate(op.outputs):
            groups.setdefault((label, place), []).append(name)
    shared = dict(ranges)
    for names in groups.values():
        if len(names) >= _FEWEST_STEPS:
            both = united([ranges[name] for name in names])
            shared.update(dict.fromkeys(names, both))
    return shared


def _repeats_weights(graph: Graph) -> bool:
    weights = [
        _digest(graph, op.inputs[place])
        for op in graph.ops
        for place in op.weight_axis
        if place < len(op.inputs) and graph.tensors[op.inputs[place]].is_constant
    ]
    return bool(weights) and Counter(weights).most_common(1)[0][1] >= _FEWEST_STEPS


def _labels(graph: Graph) -> list[str]:
    """By operator: what it is, and what those around it are, constants included."""
    writer = {name: i for i, op in enumerate(graph.ops) for name in op.outputs}
    readers: dict[str, list[tuple[int, int]]] = {}
    for i, op in enumerate(graph.ops):
        for place, name in enumerate(op.inputs):
            # All steps may be gathered in one tensor, each at a place of its own.
            readers.setdefault(name, []).append((i, 0 if _moves(graph, op) else place))
    labels = [_own(graph, op) for op in graph.ops]
    for _ in range(_RADIUS):
        labels = [
            _hash(
                labels[i],
                [labels[writer[name]] if name in writer else "" for name in op.inputs],
                [sorted((labels[j], place) for j, place in readers.get(name, ())) for name in op.outputs],
            )
            for i, op in enumerate(graph.ops)
        ]
    return labels


def _own(graph: Graph, op: Op) -> str:
    """The operator itself. Which part an operator moves is not said: each step takes its own."""
    shapes = [graph.tensors[name].shape for name in op.outputs]
    if _moves(graph, op):
        return _hash(op.kind, shapes)
    told = [(f.name, getattr(op, f.name)) for f in fields(op) if f.name not in ("name", "inputs", "outputs")]
    constants = [_digest(graph, name) for name in op.inputs if graph.tensors[name].is_constant]
    return _hash(op.kind, shapes, told, constants)


def _moves(graph: Graph, op: Op) -> bool:
    return op.inputs_share_quant or (op.output_quant(graph.inputs_of(op)) == "same" and not op.weight_axis)


def _digest(graph: Graph, name: str) -> str:
    tensor = graph.tensors[name]
    data = b"" if tensor.data is None else tensor.data.tobytes()
    return _hash(tensor.shape, tensor.dtype, hashlib.sha256(data).hexdigest())


def _hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
