"""Cross-layer equalization: the channels of an activation are scaled alike in size, and the weights around it undo it.

An activation has one scale for all its channels. Where one channel is a hundred times larger than the others, those
have two or three integers left. A factor per channel can be moved from the layer that makes an activation into the
layers that read it, through everything between that is positively homogeneous; per-channel weights take it without
loss. Factors are powers of two, so that the float network computes the same to the last bit.

Source of the idea: Nagel et al., arXiv 1906.04721, section 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from midge.interpreter import interpret_all
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array, Tensor
from midge.progress import Progress, silent
from midge.quantize.samples import Samples

Factors = NDArray[np.float64]
# Beyond 2^12 a channel is as good as dead, and its neighbors' weights would leave float32's comfortable range.
_MOST = 12


def equalize(graph: Graph, samples: Samples, progress: Progress = silent) -> Graph:
    """The same float network, its activations' channels alike in size over `samples`; the input itself stays as it is.

    Equal to `graph` bit for bit on `samples`; beyond them a fused RELU6 may cut elsewhere, because its bound is one
    for all channels.
    """
    groups = _groups(graph)
    if not groups:
        return graph
    largest = _largest(graph, {n for g in groups for n in g.tensors}, samples, progress)
    factors: dict[str, Factors] = {}
    for group in groups:
        found = _factors(graph, group, largest)
        factors.update(dict.fromkeys(group.tensors, found))
    return _scaled(graph, factors)


@dataclass(frozen=True)
class _Group:
    """Activations that must be scaled alike, by channel: those that homogeneous operators join."""

    tensors: tuple[str, ...]


def _groups(graph: Graph) -> list[_Group]:
    """All groups whose every tensor is made and read by layers with weights, or by homogeneous operators."""
    parents = {name: name for name, t in graph.tensors.items() if not t.is_constant}
    fixed = {*graph.inputs, *graph.outputs}
    for op in graph.ops:
        inputs, outputs = graph.inputs_of(op), graph.outputs_of(op)
        moving = [t.name for t in (*inputs, *outputs) if not t.is_constant]
        if _is_layer(op, inputs):
            continue
        if op.scales_through(inputs) and not any(t.is_constant for t in inputs) and _upper(op) > 0:
            for name in moving[1:]:
                parents[_root(parents, name)] = _root(parents, moving[0])
        else:
            fixed.update(moving)
    stuck = {_root(parents, name) for name in fixed}
    members: dict[str, list[str]] = {}
    for name in parents:
        if (root := _root(parents, name)) not in stuck:
            members.setdefault(root, []).append(name)
    return [_Group(tuple(names)) for names in members.values()]


def _is_layer(op: Op, inputs: tuple[Tensor, ...]) -> bool:
    """Whether factors can be moved into the weights of `op`, on both sides."""
    if len(op.weight_axis) != 1 or getattr(op, "clamp", (0, inf))[0] not in (0, -inf):
        return False
    weights = inputs[next(iter(op.weight_axis))]
    return weights.is_constant and op.weight_channels(inputs) is not None


def _upper(op: Op) -> float:
    """The upper bound of the fused activation; 0 when the lower one cannot be scaled."""
    low, high = getattr(op, "clamp", (-inf, inf))
    return high if low in (0, -inf) else 0.0


def _largest(graph: Graph, names: set[str], samples: Samples, progress: Progress) -> Mapping[str, Factors]:
    """The largest magnitude of every channel of the activations `names`."""
    found: dict[str, Factors] = {}
    for index in progress(range(len(samples)), "equalizing"):
        values = interpret_all(graph, samples[index])
        for name in names:
            value = np.abs(values[name].reshape(-1, values[name].shape[-1])).max(axis=0).astype(np.float64)
            found[name] = np.maximum(found[name], value) if name in found else value
    return found


def _factors(graph: Graph, group: _Group, largest: Mapping[str, Factors]) -> Factors:
    """By what each channel is divided: activations and the weights that read them come out alike in spread."""
    made = np.max([largest[n] for n in group.tensors], axis=0)
    alive = made > 0
    if not alive.any():
        return np.ones_like(made)
    spread = np.where(alive, made / made.max(), 1.0)
    read = _read_spread(graph, group, len(made))
    factors = spread if read is None else np.sqrt(spread / np.where(alive, read, 1.0))
    factors = np.where(alive, factors / factors[alive].max(), 1.0)
    bound = min((_upper(op) for op in graph.ops if set(op.outputs) & set(group.tensors)), default=inf)
    if bound < inf:
        factors = np.where(made >= bound, 1.0, np.maximum(factors, made / bound))
    return np.asarray(np.exp2(np.clip(np.ceil(np.log2(factors)), -_MOST, _MOST)), np.float64)


def _read_spread(graph: Graph, group: _Group, channels: int) -> Factors | None:
    """How large the weights that read each channel are, beside the largest; None when only depthwise layers read it."""
    found: list[Factors] = []
    for op in graph.ops:
        inputs = graph.inputs_of(op)
        if op.inputs[0] not in group.tensors or not _is_layer(op, inputs):
            continue
        axes = op.weight_channels(inputs)
        weights = np.abs(np.asarray(inputs[1].data, np.float64))
        if axes is None or axes[0] == axes[1]:
            continue
        rows = weights.max(axis=axes[1], keepdims=True)
        share = np.divide(weights, rows, out=np.zeros_like(weights), where=rows > 0)
        found.append(np.moveaxis(share, axes[0], 0).reshape(channels, -1).max(axis=1))
    if not found:
        return None
    return np.asarray(np.maximum(np.max(found, axis=0), 2.0**-_MOST), np.float64)


def _scaled(graph: Graph, factors: Mapping[str, Factors]) -> Graph:
    """The graph with every layer's weights and bias multiplied as `factors` of its input and output say."""
    added: dict[str, Tensor] = {}
    ops: list[Op] = []
    for op in graph.ops:
        inputs = graph.inputs_of(op)
        before, after = factors.get(op.inputs[0]), factors.get(op.outputs[0])
        if not _is_layer(op, inputs) or (before is None and after is None):
            ops.append(op)
            continue
        names = list(op.inputs)
        weights = _scaled_weights(op, inputs, before, after)
        bias = inputs[op.bias_input] if op.bias_input is not None and op.bias_input < len(inputs) else None
        made = [(1, replace(inputs[1], name=f"{op.name}/equalized", data=weights))]
        if bias is not None and after is not None and op.bias_input is not None:
            scaled = (np.asarray(bias.data) / after).astype(np.float32)
            made.append((op.bias_input, replace(bias, name=f"{op.name}/equalized_bias", data=scaled)))
        for index, tensor in made:
            added[tensor.name] = tensor
            names[index] = tensor.name
        ops.append(replace(op, inputs=tuple(names)))
    return graph.with_ops(ops, list(added.values()))


def _scaled_weights(op: Op, inputs: tuple[Tensor, ...], before: Factors | None, after: Factors | None) -> Array:
    weights = np.asarray(inputs[1].data, np.float64)
    axes = op.weight_channels(inputs)
    assert axes is not None
    for axis, factors in zip(axes, (before, None if after is None else 1 / after), strict=True):
        if factors is not None:
            # A depthwise layer has several outputs for a channel, side by side.
            wide = np.repeat(factors, weights.shape[axis] // len(factors))
            weights = weights * wide.reshape([-1 if i == axis else 1 for i in range(weights.ndim)])
    return weights.astype(np.float32)


def _root(parents: dict[str, str], name: str) -> str:
    while parents[name] != name:
        name = parents[name]
    return name
