"""Which channels a graph has to keep: those whose value some output depends on, and those tied to them.

Two questions, each answered for every channel of every activation:

    needed   does an output depend on the value? Backwards from the outputs. A channel of one value asks nothing of what
             it is computed from. A weighted sum does not need a channel that it reads with weights of zero only, nor
             one that is constant, as long as every tap that reads it lies inside the input: its part of the sum is a
             number, which the bias can hold. At the border it is not (padding adds nothing), unless the constant is the
             zero point.
    kept     must the channel be there? The needed ones, those of inputs, outputs and states of the network, and all
    that share
             a class with them (the operands of an addition, both sides of a depthwise convolution).

What is kept and not needed may hold anything in its range: no output depends on which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from midge.intervals import tensor_ranges
from midge.ir.channels import Mixing, Range, Ties, count_classes, last_axis
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array, DType
from midge.ops.intervals import regrouped

Masks = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class LiveChannels:
    """Per activation: bounds on its values, and which of its channels are needed and kept (bool)."""

    ranges: Mapping[str, Range]
    needed: Masks
    kept: Masks


def at_least_one(live: int) -> int:
    """How many channels a tensor keeps that has `live` ones: a tensor cannot be empty."""
    return max(live, 1)


def live_channels(graph: Graph, keep: Callable[[int], int] = at_least_one) -> LiveChannels:
    """The smallest set of channels that gives the same outputs.

    `keep` tells how many channels to keep of a tensor with so many live ones, at least one: a core that computes
    channels in fours may ask for the next multiple of four where there are as many.
    """
    ranges = tensor_ranges(graph)
    needed = {t.name: np.zeros(len(ranges[t.name][0]), bool) for t in graph.tensors.values() if not t.is_constant}
    needed.update({name: np.ones_like(needed[name]) for name in graph.results if name in needed})
    for op in reversed(graph.ops):
        for name, mask in _needs(graph, op, needed, ranges):
            needed[name] |= mask
    return LiveChannels(ranges, needed, _kept(graph, needed, keep))


def is_constant(values: Range) -> Array:
    """Which channels hold one value only."""
    one: Array = values[0] == values[1]
    return one


def active_rows(live: LiveChannels, op: Op) -> Array:
    """Which outputs of a weighted sum have to be computed: those that are needed and not of one value."""
    return _active(live.needed, live.ranges, op.outputs[0])


def _active(needed: Masks, ranges: Mapping[str, Range], name: str) -> Array:
    active: Array = needed[name] & ~is_constant(ranges[name])
    return active


def _needs(graph: Graph, op: Op, needed: Masks, ranges: Mapping[str, Range]) -> Iterator[tuple[str, Array]]:
    """What `op` needs of the tensors that it reads, for the channels that are needed of what it writes."""
    inputs, outputs = graph.inputs_of(op), graph.outputs_of(op)
    active = [_active(needed, ranges, name) for name in op.outputs]
    if not any(a.any() for a in active):
        return
    ties = op.ties(inputs, outputs)
    mixing = op.mixing(inputs, outputs)
    classes = np.zeros(count_classes(ties), bool)
    if mixing is not None:
        read = _read(mixing, regrouped(ranges[op.inputs[0]], mixing.weights.shape[2]), inputs[0].q.zero_point)
        classes[last_axis(ties[1])[read[active[0]].any(axis=0)]] = True
    elif all(ties[len(inputs) :]) and _channel_by_channel(ties, len(inputs)):
        for mask, tie in zip(active, ties[len(inputs) :], strict=True):
            classes[last_axis(tie)[mask]] = True
    else:
        classes[:] = True
    for name, tie in zip(op.inputs, ties, strict=False):
        if name in needed:
            yield name, classes[last_axis(tie)] if tie else np.ones_like(needed[name])


def _channel_by_channel(ties: Ties, inputs: int) -> bool:
    """Whether every channel that is read is tied to one that is made: a float layer's sums are over all of them."""
    made = [last_axis(tie) for tie in ties[inputs:]]
    return all(np.isin(last_axis(tie), np.concatenate(made)).all() for tie in ties[:inputs] if tie)


def _read(mixing: Mixing, values: Range, zero_point: int) -> Array:
    """Which columns each row needs, bool (rows, columns): read, and not of one value that the bias can hold."""
    read = mixing.weights != 0
    at_border = read[:, ~mixing.always].any(axis=1)
    constant, offset = is_constant(values), np.where(is_constant(values), values[0] - zero_point, 0)
    bias = np.zeros(len(read), np.int64) if mixing.bias is None else mixing.bias.astype(np.int64)
    parts = np.abs(mixing.weights.astype(np.int64)).sum(axis=1) @ np.abs(offset)
    if (np.abs(bias) + parts > np.iinfo(np.int32).max).any():
        constant = constant & (offset == 0)
    needed: Array = read.any(axis=1) & ~(constant & (~at_border | (offset == 0)))
    return needed


def _kept(graph: Graph, needed: Masks, keep: Callable[[int], int]) -> Masks:
    """`needed` closed under what cannot be removed and what can only be removed together."""
    kept = {name: mask.copy() for name, mask in needed.items()}
    for name in kept:
        if name in (*graph.sources, *graph.results) or graph.tensors[name].dtype is not DType.S8:
            kept[name][:] = True
    _spread(graph, kept)
    while sum(_fill_up(mask, keep) for mask in kept.values()):
        _spread(graph, kept)
    return kept


def _fill_up(kept: Array, keep: Callable[[int], int]) -> int:
    """Add channels that nobody needs until there are as many as `keep` asks for; how many were added."""
    live = int(kept.sum())
    added = np.flatnonzero(~kept)[: max(keep(live) - live, 0)]
    kept[added] = True
    return len(added)


def _spread(graph: Graph, kept: dict[str, Array]) -> None:
    """Grow `kept` until no operator ties a kept channel to one that is not."""
    ties = [op.ties(graph.inputs_of(op), graph.outputs_of(op)) for op in graph.ops]
    size = -1
    while size != (size := sum(int(mask.sum()) for mask in kept.values())):
        for op, tie in zip(reversed(graph.ops), reversed(ties), strict=True):
            classes = kept_classes(op, tie, kept)
            for name, ids in zip((*op.inputs, *op.outputs), tie, strict=True):
                if name in kept:
                    kept[name] |= classes[last_axis(ids)] if ids else True


def kept_classes(op: Op, ties: Ties, kept: Masks) -> Array:
    """Which classes of channels of `op` have a kept channel."""
    classes = np.zeros(count_classes(ties), bool)
    for name, ids in zip((*op.inputs, *op.outputs), ties, strict=True):
        if name in kept and ids:
            classes[last_axis(ids)[kept[name]]] = True
    return classes
