"""Channels that cannot change go, and channels that nobody reads, with the weights of both.

live_channels decides what stays; here the graph is cut down to it. Every output keeps its bytes, for these reasons, one
operator after the other:

    - a channel that is needed has its value from channels that are needed, which have theirs;
    - in a weighted sum what a removed channel contributed is 0, or one number for every place, which joins the bias;
    - a channel that is kept but not needed, or that is constant, stays in its range. Where a weighted sum has lost what
      it was made from, its weights become 0 and its bias one of the sums that it could have had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from midge.ir.channels import last_axis
from midge.ir.graph import Graph, Op
from midge.ir.rewrite import count_readers, fresh_name
from midge.ir.tensor import Array, Quant, Tensor
from midge.ops.reshape import Reshape
from midge.passes.fold_channels import fold_columns
from midge.passes.live_channels import LiveChannels, at_least_one, is_constant, kept_classes, live_channels


@dataclass(frozen=True)
class Removal:
    """What one layer lost. `channels`: how many its output had.

    `constant`: (channel, the value it always has). `unread`: channels that are read with weights of zero only, or for
    channels that are constant or unread themselves. Both count from 0 in the output as it was. `macs` of one inference
    and `parameters` (elements of constants) are what the layer is smaller by, also by inputs that it lost.
    """

    layer: str
    op: str
    channels: int
    constant: tuple[tuple[int, int], ...]
    unread: tuple[int, ...]
    macs: int
    parameters: int


def drop_constant_channels(graph: Graph, keep: Callable[[int], int] = at_least_one) -> Graph:
    """The graph without channels of one value and channels that nothing depends on; `keep` as in live_channels."""
    return _shrunk(graph, live_channels(graph, keep))


def find_removals(graph: Graph) -> tuple[Removal, ...]:
    """What drop_constant_channels takes from each layer, in order; layers that lose nothing are left out."""
    live = live_channels(graph)
    after = _shrunk(graph, live)
    removals = (_removal(graph, after, *pair, live) for pair in zip(graph.ops, after.ops, strict=True))
    return tuple(r for r in removals if r.constant or r.unread or r.macs or r.parameters)


def _removal(graph: Graph, after: Graph, op: Op, smaller: Op, live: LiveChannels) -> Removal:
    output = op.outputs[0]
    gone = np.flatnonzero(~live.kept[output])
    constant = is_constant(live.ranges[output])
    return Removal(
        op.name,
        op.kind,
        len(constant),
        tuple((int(c), int(live.ranges[output][0][c])) for c in gone if constant[c]),
        tuple(int(c) for c in gone if not constant[c]),
        _macs(graph, op) - _macs(after, smaller),
        _parameters(graph, op) - _parameters(after, smaller),
    )


def _macs(graph: Graph, op: Op) -> int:
    return op.macs(graph.inputs_of(op), graph.outputs_of(op))


def _parameters(graph: Graph, op: Op) -> int:
    return sum(t.elements for t in graph.inputs_of(op) if t.is_constant)


def _shrunk(graph: Graph, live: LiveChannels) -> Graph:
    tensors = dict(graph.tensors)
    for name, kept in live.kept.items():
        if not kept.all():
            tensors[name] = replace(tensors[name], shape=(*tensors[name].shape[:-1], int(kept.sum())))
    readers = count_readers(graph)
    ops: list[Op] = []
    for op in graph.ops:
        names = list(op.inputs)
        for index, tensor in _smaller_constants(graph, op, live):
            name = tensor.name if readers[tensor.name] == 1 else fresh_name(tensor.name, tensors)
            tensors[name] = replace(tensor, name=name)
            names[index : index + 1] = [name]
        smaller = replace(op, inputs=tuple(names))
        ops.append(replace(smaller, shape=tensors[op.outputs[0]].shape) if isinstance(smaller, Reshape) else smaller)
    return replace(graph, tensors=tensors).with_ops(ops)


def _smaller_constants(graph: Graph, op: Op, live: LiveChannels) -> Iterator[tuple[int, Tensor]]:
    """The constants of an operator that loses channels, by their place among its inputs; a bias may be new."""
    inputs, outputs = graph.inputs_of(op), graph.outputs_of(op)
    ties, mixing = op.ties(inputs, outputs), op.mixing(inputs, outputs)
    classes = kept_classes(op, ties, live.kept)
    operands = list(zip(inputs, ties, strict=False))
    if mixing is not None and not classes[last_axis(ties[1])].all():
        weights, bias = fold_columns(graph, op, mixing, live, classes)
        operands[1:] = [(weights, ties[1]), (bias, {0: ties[1][0]})]
    for index, (tensor, tie) in enumerate(operands):
        if tensor.is_constant and not classes.all():
            yield index, cut(tensor, {axis: classes[ids] for axis, ids in tie.items()})


def cut(tensor: Tensor, kept: Mapping[int, Array]) -> Tensor:
    """A constant with only the `kept` indices of each axis, and the scales of those."""
    data, quant = np.asarray(tensor.data), tensor.quant
    for axis, mask in kept.items():
        data = data.compress(mask, axis)
        if quant is not None and quant.axis == axis:
            stay = np.flatnonzero(mask)
            scales, zero_points = (tuple(values[i] for i in stay) for values in (quant.scales, quant.zero_points))
            quant = Quant(scales, zero_points, axis)
    return replace(tensor, shape=data.shape, data=np.ascontiguousarray(data), quant=quant)
