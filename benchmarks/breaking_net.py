"""A network that plain int8 ruins: digits.tflite with its channels' ranges far apart, and an outlier.

In float it computes what digits.tflite does, but for a feature that hardly counts. Every channel between two layers is
multiplied by a factor, from 1/100 to 1, that the next layer undoes; so does training, where weights decay little. The
feature is new: it is 0 nearly everywhere, and hundreds of times larger than all others where it is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from midge.exporters import export_tflite
from midge.importers import import_model
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array, Tensor
from midge.passes import CANONICALIZE, run_passes

_SPREAD = 100.0
# The new feature is this steep, and counts for as much less.
_STEEP = 300.0
_SEED = 5

Factors = NDArray[np.float64]


def write_breaking_net(digits: Path, target: Path) -> Path:
    """Makes `target` of the float model `digits`."""
    graph = run_passes(import_model(digits).graph, CANONICALIZE)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(export_tflite(replace(breaking(graph), name=target.stem)))
    return target


def breaking(graph: Graph) -> Graph:
    """The network broken so. What flows around the residual connection is one group of channels."""
    layers = {op.name: op for op in graph.ops}
    rng = np.random.default_rng(_SEED)
    around, inside, features = (_factors(rng, n) for n in (16, 16, 32))
    features = np.append(features, 1.0)
    with_outlier = _with_outlier(graph, layers["head_relu"], layers["logits"])
    layers = {op.name: op for op in with_outlier.ops}
    scaled: dict[str, Tensor] = {}
    for name, before, after in (
        ("stem_relu", None, around),
        ("block_depthwise_relu", around, inside),
        ("block_pointwise_norm", inside, around),
        ("head_relu", around, features),
        ("logits", features, None),
    ):
        scaled |= _scaled(with_outlier, layers[name], before, after)
    return replace(with_outlier, tensors={**with_outlier.tensors, **scaled})


def _factors(rng: np.random.Generator, channels: int) -> Factors:
    """From 1 / _SPREAD to 1, few of them large."""
    return np.asarray(rng.permutation(_SPREAD ** -(np.linspace(0, 1, channels) ** 0.3)), np.float64)


def _scaled(graph: Graph, layer: Op, before: Factors | None, after: Factors | None) -> Mapping[str, Tensor]:
    weights, bias = graph.inputs_of(layer)[1:]
    axes = layer.weight_channels(graph.inputs_of(layer))
    assert axes is not None
    data = np.asarray(weights.data, np.float64)
    for axis, factors in zip(axes, (None if before is None else 1 / before, after), strict=True):
        if factors is not None:
            data = data * factors.reshape([-1 if i == axis else 1 for i in range(data.ndim)])
    shift = np.asarray(bias.data, np.float64) * (1 if after is None else after)
    return {t.name: replace(t, data=d.astype(np.float32)) for t, d in ((weights, data), (bias, shift))}


def _with_outlier(graph: Graph, head: Op, logits: Op) -> Graph:
    """One more feature: the first one, from far above its usual values on."""
    weights, bias = graph.inputs_of(head)[1:]
    filters, shifts = np.asarray(weights.data), np.asarray(bias.data)
    more = np.concatenate([filters, filters[:1] * _STEEP])
    outlier = shifts[:1] * _STEEP - _STEEP * _threshold(filters[0])
    reads = graph.inputs_of(logits)[1]
    rows = np.asarray(reads.data)
    mean = graph.tensors[logits.inputs[0]]
    made = graph.tensors[head.outputs[0]]
    wider = {
        weights.name: _with_data(weights, more),
        bias.name: _with_data(bias, np.concatenate([shifts, outlier])),
        reads.name: _with_data(reads, np.concatenate([rows, rows[:, :1] / _STEEP / 10], axis=1)),
        made.name: replace(made, shape=(*made.shape[:3], len(more))),
        mean.name: replace(mean, shape=(*mean.shape[:-1], len(more))),
    }
    return replace(graph, tensors={**graph.tensors, **wider})


def _threshold(filters: Array) -> float:
    """What the filter hardly ever reaches on inputs of the size that batch normalization leaves."""
    return float(1.6 * np.sqrt((filters.astype(np.float64) ** 2).sum()))


def _with_data(tensor: Tensor, data: Array) -> Tensor:
    return replace(tensor, shape=data.shape, data=np.asarray(data, np.float32))
