"""Clustering: a layer's weights take few distinct values, so that a small table and narrow indices hold them.

The table is one for the whole layer, of what remains of each weight when its channel's scale is divided out: those are
the integers that a kernel sees, since weights have a scale per channel. In a float network scales are found along with
the table, and each channel has a weight at the table's end, 1 or -1. Then quantization to int8, which makes the largest
weight of a channel 127, finds these very scales, and not more than `values` distinct integers in the layer.

The table of a float layer holds 127ths. In an integer network the integers themselves are clustered; scales and
biases stay.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from midge.compress.apply import CompressionNote, Material
from midge.compress.compensation import END, refined, second_moments
from midge.compress.criteria.activation import input_energies
from midge.compress.kmeans import centers, nearest_center
from midge.compress.steps import Cluster
from midge.compress.weighted import Weights, find_weights, form_of, samples_for
from midge.ir.graph import Graph
from midge.ir.tensor import Array, DType, Tensor

F64 = NDArray[np.float64]

_ROUNDS = 30
# No weight counts for less than this part of the mean: what is silent in the samples need not be elsewhere.
_LEAST_ENERGY = 1e-3
# Another round must take off this part of the error.
_WORTH = 1e-4


def apply(graph: Graph, step: Cluster, material: Material) -> Graph:
    """At most `step.values` distinct weights in each layer: integers in an integer network, or once it is quantized.

    Zeros stay zeros. With data, errors count by the energy of what a weight multiplies, and weights make up for each
    other. Raises SettingsError for a
    layer that is not there, and for data without samples to calibrate on.
    """
    found = [w for w in find_weights(graph, step.layers) if distinct(w) > step.values]
    if not found:
        warnings.warn(f"nothing to cluster: no layer has more than {step.values} values", CompressionNote, stacklevel=2)
        return graph
    if material.data is None:
        made = [_clustered(weights, np.ones(weights.tensor.shape), step.values) for weights in found]
    else:
        made = _seeing(graph, found, step.values, material)
    return replace(graph, tensors={**graph.tensors, **{t.name: t for t in made}})


def _seeing(graph: Graph, found: Sequence[Weights], values: int, material: Material) -> list[Tensor]:
    """The weights clustered by what reaches them in the calibration samples."""
    samples = samples_for(graph, material, "clustering")
    energies = input_energies(graph, samples, material)
    single = [w.layers[0] for w in found if len(w.layers) == 1]
    moments = second_moments(graph, [op.name for op in single], samples, material)
    made = []
    for weights in found:
        tensor, op = _clustered(weights, _energy(weights, energies), values), weights.layers[0]
        form = form_of(graph, op)
        if op.name in moments and form is not None:
            tensor = refined(weights, tensor, form, moments[op.name])
        made.append(tensor)
    return made


def distinct(weights: Weights) -> int:
    """How many integers a layer's weights take: their own, or those of float ones quantized to int8 per channel."""
    if weights.tensor.dtype is not DType.F32:
        return len(np.unique(np.asarray(weights.tensor.data)))
    rows = _rows(weights.real, _axis(weights))
    most = np.abs(rows).max(axis=1, keepdims=True)
    return len(np.unique(np.rint(rows / np.where(most > 0, most, 1) * END)))


def _axis(weights: Weights) -> int:
    """Along which they have a scale each."""
    op = weights.layers[0]
    return op.weight_axis[op.inputs.index(weights.name)]


def _energy(weights: Weights, energies: Mapping[str, Array]) -> F64:
    """Of layers that share the weights, together; 1 where nothing is known."""
    known = [energies[op.name] for op in weights.layers if op.name in energies]
    total = np.asarray(sum(known), np.float64)
    if not known or not total.any():
        return np.ones(weights.tensor.shape)
    return np.maximum(total, _LEAST_ENERGY * total.mean())


def _clustered(weights: Weights, energy: F64, values: int) -> Tensor:
    tensor, axis = weights.tensor, _axis(weights)
    data = np.asarray(tensor.data, np.float64)
    if tensor.quant is not None:
        scales = np.asarray(tensor.q.scales)
        shape = [-1 if i == tensor.q.axis else 1 for i in range(data.ndim)]
        masses = (energy * scales.reshape(shape) ** 2).reshape(-1)
        table = np.rint(centers(data.reshape(-1), masses, values, (0.0,) if (data == 0).any() else ()))
        return replace(tensor, data=nearest_center(data, np.unique(table)).astype(tensor.dtype.numpy))
    fit = fit_rows(_rows(data, axis), _rows(energy, axis), values)
    # The product is rounded as the scale that quantization will find is: their ratio is whole to 1e-7.
    steps = (fit.scales / END).astype(np.float32)[:, None]
    made = (fit.codes.astype(np.float32) * steps).astype(np.float32)
    return replace(tensor, data=_restored(made, data.shape, axis))


@dataclass(frozen=True, eq=False)
class Fit:
    """Rows of weights as codes * scales / 127: integers (channels, n) of few values, and a scale by channel."""

    codes: NDArray[np.int64]
    scales: F64


def fit_rows(rows: F64, energy: F64, values: int) -> Fit:
    """Codes and scales in turn, each the best for the other, until the error falls no more.

    Each row that is not zero throughout has a code of 127 or -127. A zero is among the codes where there is one among
    the weights, which then keeps it.
    """
    most = np.abs(rows).max(axis=1)
    ends = _ends(rows, most, values - int((rows == 0).any()))
    pinned = (*ends, *((0.0,) if (rows == 0).any() else ()))
    alive = most > 0
    scales = np.where(alive, most, 1.0)
    best, least = Fit(np.zeros(rows.shape, np.int64), scales), np.inf
    for codes in _proposals(rows, energy, scales, values, pinned, ends):
        power = (energy * codes**2).sum(axis=1)
        fitted = (energy * rows * codes).sum(axis=1) / np.where(power > 0, power, 1)
        scales[:] = np.where(alive & (fitted > 0), fitted, scales)
        error = float((energy * (rows - scales[:, None] * codes) ** 2).sum())
        if error >= least * (1 - _WORTH):
            break
        best, least = Fit(np.rint(codes * END).astype(np.int64), scales.copy()), error
    return best


def _proposals(
    rows: F64, energy: F64, scales: F64, values: int, pinned: tuple[float, ...], ends: tuple[float, ...]
) -> Iterator[F64]:
    """Codes in -1..1 for the `scales` as they are when the next ones are asked for."""
    for _ in range(_ROUNDS):
        parts = rows / scales[:, None]
        masses = energy * scales[:, None] ** 2
        # Beyond the ends there is nothing to choose: such weights would only draw centers outwards.
        table = centers(np.clip(parts, -1, 1).reshape(-1), masses.reshape(-1), values, pinned)
        table = np.unique(np.rint(table * END) / END)
        yield _with_ends(nearest_center(parts, table), parts, energy, ends)


def _ends(rows: F64, most: F64, free: int) -> tuple[float, ...]:
    """The ends of the table: both where both signs occur and there is room, else that of the larger weights."""
    if not (rows > 0).any() or not (rows < 0).any() or free < 2:
        parts = rows / np.where(most > 0, most, 1)[:, None]
        return (1.0,) if (parts**3).sum() >= 0 else (-1.0,)
    return (-1.0, 1.0)


def _with_ends(codes: F64, parts: F64, energy: F64, ends: tuple[float, ...]) -> F64:
    """The codes with one at an end in each row: where there is none, the weight moves that this costs least."""
    lacking = np.flatnonzero(~np.isin(codes, ends).any(axis=1) & (parts != 0).any(axis=1))
    if not len(lacking):
        return codes
    own, old, worth = parts[lacking], codes[lacking], energy[lacking]
    costs = np.stack([np.where(own == 0, np.inf, worth * ((own - e) ** 2 - (own - old) ** 2)) for e in ends], axis=1)
    which, place = np.divmod(costs.reshape(len(lacking), -1).argmin(axis=1), own.shape[1])
    codes = codes.copy()
    codes[lacking, place] = np.asarray(ends)[which]
    return codes


def _rows(data: F64, axis: int) -> F64:
    """(channels, the rest)."""
    return np.moveaxis(data, axis, 0).reshape(data.shape[axis], -1)


def _restored(rows: Array, shape: tuple[int, ...], axis: int) -> Array:
    wide = rows.reshape(shape[axis], *(size for i, size in enumerate(shape) if i != axis))
    return np.ascontiguousarray(np.moveaxis(wide, 0, axis))
