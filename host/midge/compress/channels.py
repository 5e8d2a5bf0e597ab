"""Which channels of a network can be removed, and which only together: what operators say of themselves, put together.

Channels that some operator ties are one group: the operands of an addition, both sides of a depthwise convolution, a
convolution's filter and the columns that read it, a channel and its places behind a reshape. A group that reaches an
input, output or state of the network, or an operator that needs all its channels, stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from midge.ir.channels import Ties, count_classes
from midge.ir.graph import Graph, Op
from midge.ir.rewrite import count_readers, fresh_name
from midge.ir.tensor import Array, Tensor
from midge.ops.reshape import Reshape
from midge.passes.constant_channels import cut

# The group of what cannot be removed.
STAYS = 0


@dataclass(frozen=True, eq=False)
class Channels:
    """The group of every channel, STAYS or from 1 to `groups`.

    `activations`: by tensor, along its last axis. `constants`: by operator and input, along each axis that is tied.
    """

    groups: int
    activations: Mapping[str, Array]
    constants: Mapping[tuple[str, int], Mapping[int, Array]]


def find_channels(graph: Graph) -> Channels:
    """The groups of all channels of `graph`."""
    ties = [op.ties(graph.inputs_of(op), graph.outputs_of(op)) for op in graph.ops]
    labels = _labels(graph, ties)
    stays = {0}
    for name, ids in labels.items():
        if name in (*graph.sources, *graph.results):
            stays.update(ids.tolist())
    for op, tie in zip(graph.ops, ties, strict=True):
        for name, along in zip((*op.inputs, *op.outputs), tie, strict=True):
            if name in labels and not along:
                stays.update(labels[name].tolist())
    alive = sorted({int(i) for ids in labels.values() for i in ids} - stays)
    number = np.zeros(1 + max((int(ids.max()) for ids in labels.values()), default=0), np.int64)
    number[alive] = np.arange(1, len(alive) + 1)
    activations = {name: number[ids] for name, ids in labels.items()}
    constants = {
        (op.name, index): along
        for op, tie in zip(graph.ops, ties, strict=True)
        for index, along in _constant_groups(graph, op, tie, activations)
    }
    return Channels(len(alive), activations, constants)


def _labels(graph: Graph, ties: list[Ties]) -> dict[str, Array]:
    """For each channel the least number of those that it is tied to, from 1."""
    labels: dict[str, Array] = {}
    first = 1
    for name, tensor in graph.tensors.items():
        if not tensor.is_constant:
            size = tensor.shape[-1] if tensor.shape else 1
            labels[name] = np.arange(first, first + size)
            first += size
    before = -1
    while before != (before := sum(int(ids.sum()) for ids in labels.values())):
        for ops in (reversed(list(zip(graph.ops, ties, strict=True))), zip(graph.ops, ties, strict=True)):
            for op, tie in ops:
                classes = _of_classes(op, tie, labels, first, least=True)
                for name, along in zip((*op.inputs, *op.outputs), tie, strict=True):
                    if name in labels and along:
                        labels[name] = classes[along[max(along)]]
    return labels


def _of_classes(op: Op, tie: Ties, labels: Mapping[str, Array], nothing: int, least: bool) -> Array:
    """The label of each class of `op`: the least, or any, of its channels'; `nothing` for a class of constants."""
    classes = np.full(count_classes(tie), nothing)
    for name, along in zip((*op.inputs, *op.outputs), tie, strict=True):
        if name in labels and along:
            ids = along[max(along)]
            if least:
                np.minimum.at(classes, ids, labels[name])
            else:
                classes[ids] = labels[name]
    return classes


def _constant_groups(
    graph: Graph, op: Op, tie: Ties, activations: Mapping[str, Array]
) -> Iterator[tuple[int, Mapping[int, Array]]]:
    classes = _of_classes(op, tie, activations, STAYS, least=False)
    for index, (name, along) in enumerate(zip(op.inputs, tie, strict=False)):
        if graph.tensors[name].is_constant and along:
            yield index, {axis: classes[ids] for axis, ids in along.items()}


def kept_parts(channels: Channels, gone: Array, op: Op, index: int, tensor: Tensor) -> Array:
    """Which elements of a constant stay when the groups that are True in `gone` go, of the constant's shape."""
    kept = np.ones(tensor.shape, bool)
    for axis, ids in channels.constants.get((op.name, index), {}).items():
        kept &= ~gone[ids].reshape([-1 if i == axis else 1 for i in range(len(tensor.shape))])
    return kept


def without(graph: Graph, channels: Channels, gone: Array) -> Graph:
    """The graph without the groups that are True in `gone` (bool, by group), with the constants that go with them.

    Every other channel is computed as before, from what is left: the network is the same where nothing read those
    groups but weights of zero.
    """
    tensors = dict(graph.tensors)
    for name, ids in channels.activations.items():
        if gone[ids].any():
            tensors[name] = replace(tensors[name], shape=(*tensors[name].shape[:-1], int((~gone[ids]).sum())))
    readers = count_readers(graph)
    ops: list[Op] = []
    for op in graph.ops:
        names = list(op.inputs)
        for index, name in enumerate(op.inputs):
            along = channels.constants.get((op.name, index), {})
            if any(gone[ids].any() for ids in along.values()):
                smaller = cut(graph.tensors[name], {axis: ~gone[ids] for axis, ids in along.items()})
                names[index] = name if readers[name] == 1 else fresh_name(name, tensors)
                tensors[names[index]] = replace(smaller, name=names[index])
        made = replace(op, inputs=tuple(names))
        ops.append(replace(made, shape=tensors[op.outputs[0]].shape) if isinstance(made, Reshape) else made)
    return replace(graph, tensors=tensors).with_ops(ops)
