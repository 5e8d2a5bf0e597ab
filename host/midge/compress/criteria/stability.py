"""The unstable go first: weights whose effect changes most when inputs, weights or the time of training do.

The effect of a weight is its value times the size of what it multiplies. Both are taken as random: weights disturbed by
a part of their layer's spread, or as they were in each epoch of a training; inputs disturbed and drawn anew for each of
a few seeds. The score is the squared mean of the effect beside its variance, the signal beside the noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from midge.compress.apply import Material
from midge.compress.criteria.activation import input_energies
from midge.compress.weighted import Weights, samples_for
from midge.ir.graph import Graph
from midge.ir.tensor import Array, Tensor
from midge.quantize.samples import Sample, Samples

COMPARABLE = False
ROUNDS = 1

_SEEDS = 6
# The disturbances, beside the spread of the inputs and of a layer's weights.
_INPUT_NOISE, _WEIGHT_NOISE = 0.1, 0.1


def scores(graph: Graph, weights: Sequence[Weights], material: Material) -> Mapping[str, Array]:
    """Signal to noise, of the weights' shape; a layer that is no product is judged by its weights alone."""
    samples = samples_for(graph, material, "the criterion stability")
    sizes: dict[str, list[Array]] = {}
    for seed in range(_SEEDS):
        rng = np.random.default_rng((material.settings.seed, seed))
        for layer, energy in input_energies(graph, _disturbed(graph, samples, rng), material).items():
            sizes.setdefault(layer, []).append(np.sqrt(energy))
    return {w.name: _signal_to_noise(w, material, sizes) for w in weights}


def _signal_to_noise(w: Weights, material: Material, sizes: Mapping[str, Sequence[Array]]) -> Array:
    """E[w a]^2 / Var[w a] for independent w and a."""
    past = [snapshot[w.name] for snapshot in material.snapshots if w.name in snapshot]
    spread = _WEIGHT_NOISE * float(np.sqrt((w.real**2).mean()))
    mean = np.mean(past, axis=0) if past else w.real
    variance = spread**2 + (np.var(past, axis=0) if past else 0.0)
    found = [sizes[op.name] for op in w.layers if op.name in sizes]
    seen = np.sum(found, axis=0) if found else np.ones((1, *w.tensor.shape))
    size, size_variance = seen.mean(axis=0), seen.var(axis=0)
    noise = variance * (size**2 + size_variance) + mean**2 * size_variance
    ratio: Array = np.divide((mean * size) ** 2, noise, out=np.zeros_like(noise), where=noise > 0)
    return np.where(w.real == 0, 0.0, ratio)


def _disturbed(graph: Graph, samples: Samples, rng: np.random.Generator) -> list[Sample]:
    """As many samples, drawn with replacement, with noise."""
    chosen = [samples[i] for i in rng.integers(0, len(samples), max(1, len(samples) // 2))]
    return [[_noisy(t, x, rng) for t, x in zip(graph.input_tensors, sample, strict=True)] for sample in chosen]


def _noisy(tensor: Tensor, values: Array, rng: np.random.Generator) -> Array:
    moved = values + _INPUT_NOISE * values.std() * rng.standard_normal(values.shape)
    if values.dtype.kind == "f":
        return np.asarray(moved, values.dtype)
    return np.asarray(np.clip(np.rint(moved), *tensor.dtype.limits), values.dtype)
