"""A student starts from a part of its teacher's parameters: of wider layers the filters with the largest weights.

Layers are matched by name, those left in the order of their kind. Filters that are added up or pass through layers
without weights are chosen together, so that every copied weight reads the channel that it read in the teacher.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from midge.errors import SettingsError
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array, DType, Tensor
from midge.ir.verify import verify

Channels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Chosen:
    """Which channels of the teacher those of a student's tensor are, out of `width`."""

    channels: Channels
    width: int


def inherit(student: Graph, teacher: Graph) -> Graph:
    """The float student with as much of the float teacher's weights and biases as its layers hold.

    Layers without a match, or with windows of another size, stay as they are. Raises SettingsError for integers.
    """
    if not (student.is_float and teacher.is_float):
        raise SettingsError("a student inherits floats from floats", hint="give both networks before quantization")
    matches = _matches(student, teacher)
    groups = _groups(student)
    kept = _kept(student, teacher, matches, groups)
    chosen = {name: _everything(student.tensors[name]) for name in student.inputs}
    copied: dict[str, Tensor] = {}
    for op in student.ops:
        chosen[op.outputs[0]] = _through(student, op, chosen, kept.get(groups.get(op.outputs[0], "")))
        if op.name in matches:
            copied |= _copied(student, teacher, op, matches[op.name], chosen)
    return verify(replace(student, tensors={**student.tensors, **copied}))


def _matches(student: Graph, teacher: Graph) -> Mapping[str, Op]:
    """For each of the student's layers of weights, the teacher's."""
    mine, theirs = ([op for op in g.ops if op.weight_axis and op.kind != "batch_matmul"] for g in (student, teacher))
    by_name = {(op.name, op.kind): op for op in theirs}
    found = {op.name: by_name[op.name, op.kind] for op in mine if (op.name, op.kind) in by_name}
    taken = {op.name for op in found.values()}
    for kind in {op.kind for op in mine}:
        free = [op for op in theirs if op.kind == kind and op.name not in taken]
        found |= {
            op.name: other for op, other in zip((o for o in mine if o.kind == kind and o.name not in found), free)
        }
    return found


def _groups(graph: Graph) -> Mapping[str, str]:
    """The tensors whose channels are the same, by name: to the first of each."""
    first: dict[str, str] = {}

    def root(name: str) -> str:
        while first.setdefault(name, name) != name:
            name = first[name]
        return name

    for op in graph.ops:
        for name in op.inputs[:2] if _keeps_channels(graph, op) else ():
            if not graph.tensors[name].is_constant:
                first[root(op.outputs[0])] = root(name)
    return {name: root(name) for name in list(first)}


def _keeps_channels(graph: Graph, op: Op) -> bool:
    """Whether channel c of the output comes from channel c of each input."""
    x, y = graph.inputs_of(op)[0].shape, graph.outputs_of(op)[0].shape
    if not x or not y or x[-1] != y[-1] or op.kind in ("conv2d", "fully_connected", "transpose_conv", "reshape"):
        return False
    return op.kind not in ("transpose", "concatenation", "softmax", "batch_matmul", "gather", "slice")


def _kept(
    student: Graph, teacher: Graph, matches: Mapping[str, Op], groups: Mapping[str, str]
) -> Mapping[str, _Chosen]:
    """For each group of tensors, the teacher's filters with the largest weights, by their sum over the group."""
    sizes: dict[str, NDArray[np.float64]] = {}
    counts: dict[str, int] = {}
    for op in student.ops:
        if op.name not in matches or op.kind == "depthwise_conv2d":
            continue
        weights = np.asarray(teacher.tensors[matches[op.name].inputs[1]].data, np.float64)
        size = np.abs(weights).reshape(len(weights), -1).mean(axis=1)
        group = groups.get(op.outputs[0], op.outputs[0])
        if group not in sizes or len(sizes[group]) == len(size):
            sizes[group] = sizes.get(group, 0) + size
            counts[group] = student.outputs_of(op)[0].shape[-1]
    found = {}
    for group, size in sizes.items():
        if counts[group] <= len(size):
            order = np.argsort(-size, kind="stable")[: counts[group]]
            found[group] = _Chosen(np.sort(order), len(size))
    return found


def _everything(tensor: Tensor) -> _Chosen:
    width = tensor.shape[-1] if tensor.shape else 1
    return _Chosen(np.arange(width), width)


def _through(student: Graph, op: Op, chosen: Mapping[str, _Chosen], kept: _Chosen | None) -> _Chosen:
    """Which of the teacher's channels the layer's output has."""
    y = student.outputs_of(op)[0]
    if kept is not None and len(kept.channels) == (y.shape[-1] if y.shape else 1):
        return kept
    given = [chosen[name] for name in op.inputs if name in chosen]
    if op.kind == "concatenation" and getattr(op, "axis", None) == len(y.shape) - 1 and len(given) == len(op.inputs):
        starts = np.cumsum([0, *(g.width for g in given)])
        return _Chosen(np.concatenate([g.channels + s for g, s in zip(given, starts)]), int(starts[-1]))
    if op.kind == "reshape" and given and y.shape and y.shape[-1] % len(given[0].channels) == 0:
        times = y.shape[-1] // len(given[0].channels)
        rows = np.arange(times)[:, None] * given[0].width + given[0].channels
        return _Chosen(rows.reshape(-1), times * given[0].width)
    if given and _keeps_channels(student, op):
        return given[0]
    return _everything(y)


def _copied(student: Graph, teacher: Graph, op: Op, other: Op, chosen: Mapping[str, _Chosen]) -> Mapping[str, Tensor]:
    """The weights and the bias of a layer, from the teacher's where they fit."""
    mine, theirs = student.inputs_of(op), teacher.inputs_of(other)
    reads, makes = chosen[op.inputs[0]], chosen[op.outputs[0]]
    weights = np.asarray(theirs[1].data)
    part = _part(op, weights, reads, makes)
    if part is None or part.shape != mine[1].shape or mine[1].dtype is not DType.F32:
        return {}
    copied = {mine[1].name: replace(mine[1], data=np.ascontiguousarray(part))}
    if len(mine) > 2 and len(theirs) > 2 and theirs[2].data is not None:
        copied[mine[2].name] = replace(mine[2], data=np.asarray(theirs[2].data)[makes.channels])
    return copied


def _part(op: Op, weights: Array, reads: _Chosen, makes: _Chosen) -> Array | None:
    axes: Sequence[tuple[int, _Chosen]] = ((0, makes), (weights.ndim - 1, reads))
    if op.kind == "depthwise_conv2d":
        axes = ((3, makes),)
    if op.kind == "fully_connected" and weights.shape[1] % reads.width == 0 and weights.shape[1] != reads.width:
        times = weights.shape[1] // reads.width
        columns = (np.arange(times)[:, None] * reads.width + reads.channels).reshape(-1)
        axes = ((0, makes), (1, _Chosen(columns, weights.shape[1])))
    for axis, wanted in axes:
        if weights.shape[axis] != wanted.width:
            return None
        weights = np.take(weights, wanted.channels, axis)
    return weights
