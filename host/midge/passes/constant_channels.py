"""Channels that cannot change go, and channels that nobody reads, with the weights of both.

live_channels decides what stays; here the graph is cut down to it. Every output keeps its bytes, for these reasons, one
operator after the other:

    - a channel that is needed has its value from channels that are needed, which have theirs;
    - in a weighted sum what a removed channel contributed is 0, or one number for every place, which joins the bias;
    - a channel that is kept but not needed, or that is constant, stays in its range. Where a weighted sum has lost what
      it was made from, its weights become 0 and its bias one of the sums that it could have had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from midge.ir.channels import Range
from midge.ir.graph import Array, DType, Graph, Op, Quant, Tensor
from midge.ir.rewrite import count_readers, fresh_name
from midge.ops.intervals import fits_int32, regrouped
from midge.ops.reshape import Reshape
from midge.passes.live_channels import LiveChannels, active_rows, at_least_one, is_constant, kept_classes, live_channels


@dataclass(frozen=True)
class Removal:
    """What one layer lost. `channels`: how many its output had.

    `constant`: (channel, the value it always has) and `unread`: channels whose every reader has weights of zero for
    them, or is not needed itself; both count from 0 in the output as it was. `macs` of one inference and `parameters`
    (elements of constants) are what the layer is smaller by, also by inputs that it lost.
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
        for index, tensor in _shrunk_constants(graph, op, live):
            known = index < len(names) and readers[names[index]] == 1
            name = names[index] if known else fresh_name(tensor.name, tensors)
            tensors[name] = replace(tensor, name=name)
            names[index:index + 1] = [name]
        op = replace(op, inputs=tuple(names))
        if isinstance(op, Reshape):
            op = replace(op, shape=tensors[op.outputs[0]].shape)
        ops.append(op)
    return replace(graph, tensors=tensors).with_ops(ops)


def _shrunk_constants(graph: Graph, op: Op, live: LiveChannels) -> Iterator[tuple[int, Tensor]]:
    """The constants of `op` that change, by their place among its inputs; a bias may be new."""
    inputs, outputs = graph.inputs_of(op), graph.outputs_of(op)
    ties = op.ties(inputs, outputs)
    classes = kept_classes(op, ties, live.kept)
    if classes.all():
        return
    operands = list(inputs)
    mixing = op.mixing(inputs, outputs)
    if mixing is not None:
        operands[1:] = _folded(op, operands, outputs, live, classes[max(ties[1].items())[1]])
        ties = (*ties[:2], {0: ties[1][0]})
    for index, (tensor, tie) in enumerate(zip(operands, ties, strict=False)):
        if tensor.is_constant:
            yield index, _cut(tensor, {axis: classes[ids] for axis, ids in tie.items()})
