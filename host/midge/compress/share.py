"""Sharing: layers of equal shape compute with one set of weights, which flash then holds once.

The weights are those of least squared error for all of them together. Layers that were not trained so seldom resemble
each other: training is to follow, and keeps what is one tensor one tensor. Biases stay each layer's own; with data they
make up for what the outputs would be shifted by on average.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from midge.compress.apply import CompressionNote, Material
from midge.compress.steps import Share
from midge.compress.weighted import Weights, find_weights, for_each_input, real_weights, samples_for
from midge.errors import SettingsError
from midge.ir.graph import Graph, Op
from midge.ir.rewrite import fresh_name
from midge.ir.tensor import Array, Quant, Tensor
from midge.numerics.matrix_form import MatrixForm

F64 = NDArray[np.float64]

# What is read with nothing but zeros in the samples counts for this part of the mean all the same.
_LEAST_ENERGY = 1e-3
_END = 127


def apply(graph: Graph, step: Share, material: Material) -> Graph:
    """The graph with one tensor of weights for each set of layers that are alike in kind, shape and type.

    `step.layers` are one such set; without them all sets are found. With data, errors count by the energy of what a
    weight multiplies. Raises SettingsError for a layer that is not there, and for named layers that are not alike.
    """
    groups = _alike(graph, step.layers)
    if not groups:
        warnings.warn(f"nothing to share: {graph.name} has no two layers of one shape", CompressionNote, stacklevel=2)
        return graph
    seen = _Seen({}, {}) if material.data is None else _seen(graph, material)
    for group in groups:
        graph = _shared(graph, group, seen)
    return graph


@dataclass(frozen=True, eq=False)
class _Seen:
    """By layer: mean squares of what each weight multiplies, of the weights' shape, and means alike."""

    energies: Mapping[str, F64]
    means: Mapping[str, F64]


def _alike(graph: Graph, layers: Sequence[str]) -> list[list[Weights]]:
    groups: dict[tuple[object, ...], list[Weights]] = {}
    for weights in find_weights(graph, layers):
        t, op = weights.tensor, weights.layers[0]
        if tuple(op.weight_axis) == (1,):
            axis = None if t.quant is None else t.quant.axis
            groups.setdefault((op.kind, t.shape, t.dtype, t.quant is None, axis), []).append(weights)
    if layers and len(groups) != 1:
        every = [w for group in groups.values() for w in group]
        shapes = ", ".join(f"{w.layers[0].name} ({'x'.join(map(str, w.tensor.shape))})" for w in every)
        raise SettingsError(
            f"layers that share weights must be of one kind, shape and type: {shapes or ', '.join(layers)}",
            hint="name layers that are alike, or none, and all that are will be found",
        )
    return [group for group in groups.values() if len(group) > 1]


def _seen(graph: Graph, material: Material) -> _Seen:
    samples = samples_for(graph, material, "sharing")
    squares: dict[str, Array] = {}
    sums: dict[str, Array] = {}

    def see(op: Op, form: MatrixForm, rows: Array) -> None:
        squares[op.name] = squares.get(op.name, 0.0) + (rows**2).mean(axis=1)
        sums[op.name] = sums.get(op.name, 0.0) + rows.mean(axis=1)

    for_each_input(graph, samples, see, material.progress)
    by_name = {op.name: op for op in graph.ops}
    energies, means = ({n: _wide(graph, by_name[n], v / len(samples)) for n, v in f.items()} for f in (squares, sums))
    return _Seen({n: np.maximum(e, _LEAST_ENERGY * max(e.mean(), 1e-12)) for n, e in energies.items()}, means)


def _wide(graph: Graph, op: Op, columns: Array) -> F64:
    """Values by group and column as an array of the layer's weights."""
    form = op.as_matrix(graph.inputs_of(op))
    assert form is not None
    like = form.weights(np.empty(graph.tensors[op.inputs[1]].shape))
    return np.asarray(form.restore(np.broadcast_to(columns[:, :, None], like.shape)), np.float64)


def _shared(graph: Graph, group: Sequence[Weights], seen: _Seen) -> Graph:
    first = group[0]
    one = np.ones(first.tensor.shape)
    masses = [sum((seen.energies.get(op.name, one) for op in w.layers), np.zeros(one.shape)) for w in group]
    real = np.sum([m * w.real for m, w in zip(masses, group, strict=True)], axis=0) / np.sum(masses, axis=0)
    tensor = _held(first.tensor, real, fresh_name(f"{first.name}/shared", graph.tensors))
    added, ops = [tensor], {}
    taken = {**graph.tensors, tensor.name: tensor}
    for weights in group:
        change = weights.real - real_weights(tensor)
        for op in weights.layers:
            names = [tensor.name if n == weights.name else n for n in op.inputs]
            bias = _bias(graph, op, tensor, change, seen.means.get(op.name))
            if bias is not None:
                bias = replace(bias, name=fresh_name(f"{op.name}/shared_bias", taken))
                taken[bias.name] = bias
                added.append(bias)
                names[2:] = [bias.name]
            ops[op.name] = replace(op, inputs=tuple(names))
    return graph.with_ops([ops.get(op.name, op) for op in graph.ops], added)


def _held(like: Tensor, real: F64, name: str) -> Tensor:
    """The weights in the type of `like`: integers get the scales that hold them."""
    if like.quant is None:
        return replace(like, name=name, data=real.astype(np.float32))
    axes = tuple(i for i in range(real.ndim) if i != like.quant.axis) if like.quant.axis is not None else None
    most = np.abs(real).max(axis=axes, keepdims=True)
    scales = np.where(most > 0, most / _END, 1.0).astype(np.float32)
    data = np.rint(real / scales).astype(like.dtype.numpy)
    quant = Quant(tuple(float(s) for s in scales.reshape(-1)), (0,) * scales.size, like.quant.axis)
    return replace(like, name=name, quant=quant, data=data)


def _bias(graph: Graph, op: Op, weights: Tensor, change: F64, means: F64 | None) -> Tensor | None:
    """The layer's bias for its new weights, where it must be another one.

    `change` is what the weights have lost, `means` what each is multiplied with on average.
    """
    if op.bias_input != 2 or len(op.inputs) < 3 or not graph.tensors[op.inputs[2]].is_constant:
        return None
    old = graph.tensors[op.inputs[2]]
    real = real_weights(old)
    if means is not None:
        real = real + (change * means).sum(axis=tuple(i for i in range(change.ndim) if i != op.weight_axis[1]))
    if old.quant is None:
        return None if means is None else replace(old, data=real.astype(np.float32))
    x = graph.tensors[op.inputs[0]]
    scales = (np.asarray(weights.q.scales) * x.q.scale).astype(np.float32).astype(np.float64)
    limits = old.dtype.limits
    data = np.clip(np.rint(real / scales), *limits).astype(old.dtype.numpy)
    axis_of = None if weights.q.axis is None else 0
    return replace(old, data=data, quant=Quant(tuple(map(float, scales)), (0,) * len(scales), axis_of))
