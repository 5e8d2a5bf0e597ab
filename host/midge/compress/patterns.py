"""Which weights go together, and which of them go: the granularities of pruning that leave shapes as they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import get_args

import numpy as np

from midge.compress.steps import Granularity, Prune
from midge.compress.weighted import Weights
from midge.errors import SettingsError
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.kernels.sparsity import PATTERNS, POSITION_AXIS, VECTOR_AXIS, Pattern

# No layer keeps less than this part of the share that the network keeps: one that is all but cut through cannot learn.
_LEAST_SHARE = 0.2
# What has fewer inputs than this is spared where all else loses the same part.
_FEW_INPUTS = 16


def ratio_sparsity(granularity: Granularity) -> float | None:
    """The sparsity that a granularity of N:M is; None for another one."""
    pattern = PATTERNS.get(granularity)
    return None if pattern is None or not pattern.window else 1 - pattern.kept / pattern.window


def suits(weights: Weights, granularity: Granularity) -> bool:
    """Whether weights have groups of the granularity: vectors need more than one output channel in the same sums,
    N of M so many input channels, and kernels more than one tap."""
    op, shape = weights.layers[0], weights.tensor.shape
    if granularity == "fine":
        return True
    if granularity == "kernels":
        return op.kind in ("conv2d", "depthwise_conv2d") and shape[1] * shape[2] > 1
    if op.kind not in ("conv2d", "fully_connected"):
        return False
    return shape[VECTOR_AXIS] > 1 and shape[POSITION_AXIS] >= PATTERNS[granularity].window


def fitting(weights: Sequence[Weights], step: Prune) -> tuple[Weights, ...]:
    """Those that have such groups. Raises SettingsError for a layer that was named and has none, or when none has."""
    found = tuple(w for w in weights if suits(w, step.granularity))
    if (len(found) < len(weights) and step.layers) or not found:
        alien = next(w for w in weights if w not in found)
        shape = "x".join(map(str, alien.tensor.shape))
        raise SettingsError(
            f"{alien.layers[0].name} ({alien.layers[0].kind}, weights {shape}) has no groups of {step.granularity}",
            hint=f"leave it out, or take another granularity: {', '.join(get_args(Granularity))}",
        )
    return found


def groups_of(shape: tuple[int, ...], granularity: Granularity) -> Array:
    """The number of the group that each weight belongs to; the last vector of a column may be short."""
    if granularity == "kernels":
        return np.broadcast_to(np.arange(shape[0] * shape[3]).reshape(shape[0], 1, 1, shape[3]), shape)
    channels = 1 if granularity == "fine" else PATTERNS[granularity].channels
    vectors = (-(-shape[VECTOR_AXIS] // channels), *shape[1:])
    return _spread(np.arange(np.prod(vectors)).reshape(vectors), channels, shape)


def kept_of_each(scores: Array, granularity: Granularity, sparsity: float) -> Array:
    """N of M: the N best vectors of each window of M; of a short one its part, rounded up. At a lower `sparsity` than
    that the best of the others stay too."""
    pattern = PATTERNS[granularity]
    vectors = _vectors(scores, pattern.channels)
    best = _best_of_windows(vectors, pattern)
    order = np.argsort(np.where(best, np.inf, vectors).reshape(-1), kind="stable")
    stays = np.ones(vectors.size, bool)
    stays[order[: min(round(sparsity * vectors.size), int((~best).sum()))]] = False
    return _spread(best | stays.reshape(vectors.shape), pattern.channels, scores.shape)


def _vectors(scores: Array, channels: int) -> Array:
    """The scores of vectors of so many channels, added up."""
    count = -(-len(scores) // channels)
    padded = np.zeros((count * channels, *scores.shape[1:]))
    padded[: len(scores)] = scores
    summed: Array = padded.reshape(count, channels, *scores.shape[1:]).sum(axis=1)
    return summed


def _spread(vectors: Array, channels: int, shape: tuple[int, ...]) -> Array:
    """What is said of vectors, for each of their weights."""
    return np.repeat(vectors, channels, axis=VECTOR_AXIS)[: shape[VECTOR_AXIS]]


def _best_of_windows(vectors: Array, pattern: Pattern) -> Array:
    """Bool: the `pattern.kept` best of each window along the positions."""
    size, window = vectors.shape[POSITION_AXIS], pattern.window
    rows = np.full((vectors.size // size, -(-size // window) * window), -1.0)
    rows[:, :size] = vectors.reshape(len(rows), size)
    rank = np.argsort(np.argsort(-rows.reshape(-1, window), axis=1, kind="stable"), axis=1).reshape(rows.shape)
    allowed = np.full(rows.shape[1], pattern.kept)
    if size % window:
        allowed[size - size % window :] = -(-pattern.kept * (size % window) // window)
    best: Array = (rank < allowed)[:, :size].reshape(vectors.shape)
    return best


def few_inputs(graph: Graph, names: Iterable[str]) -> frozenset[str]:
    """Weights of first layers, depthwise ones and their like: they are few, and all are needed."""
    readers = {op.inputs[i]: (op, i) for op in graph.ops for i in op.weight_axis if i < len(op.inputs)}
    found = set()
    for name in names:
        op, index = readers[name]
        shape = graph.tensors[name].shape
        if prod(shape) // shape[op.weight_axis[index]] < _FEW_INPUTS:
            found.add(name)
    return frozenset(found)


def kept_evenly(
    scores: Mapping[str, Array], spared: Collection[str], granularity: Granularity, sparsity: float, comparable: bool
) -> Mapping[str, Array]:
    """As kept_of_all, the same part of every layer but those that are `spared`. Raises SettingsError as that."""
    total, left = (sum(s.size for n, s in scores.items() if n not in but) for but in ((), spared))
    part = sparsity * total / max(left, 1)
    if part >= 1:
        raise SettingsError(
            f"sparsity {sparsity:g} cannot be reached evenly: layers of few inputs have {total - left:,} of {total:,} "
            "weights",
            hint="leave even out",
        )
    kept = {name: np.ones(found.shape, bool) for name, found in scores.items()}
    for name, found in scores.items():
        if name not in spared:
            kept |= kept_of_all({name: found}, granularity, part, comparable)
    return kept


@dataclass(frozen=True, eq=False)
class _Groups:
    """Groups of one layer, in the order in which they go: `ids` by weight, `order`, `sizes` and `value` by group."""

    ids: Array
    order: Array
    sizes: Array
    value: Array


def kept_of_all(
    scores: Mapping[str, Array], granularity: Granularity, sparsity: float, comparable: bool
) -> Mapping[str, Array]:
    """What stays when so many weights of all layers together go, the least of them first.

    Scores that are not `comparable` count as their share in what remains of their layer when all below are gone (Lee et
    al., LAMP, arXiv 2010.07611), which no layer's last weights lose. Raises SettingsError when that many cannot go.
    """
    layers = {name: _grouped(s, granularity, comparable) for name, s in scores.items()}
    goal = round(sparsity * sum(s.size for s in scores.values()))
    names, places, values, sizes = [], [], [], []
    for number, groups in enumerate(layers.values()):
        ends = np.cumsum(groups.sizes)
        most = ends[-1] - max(groups.sizes[-1], int((1 - sparsity) * _LEAST_SHARE * ends[-1]))
        free = int(np.searchsorted(ends, most, side="right"))
        names.append(np.full(free, number))
        places.append(np.arange(free))
        values.append(groups.value[:free])
        sizes.append(groups.sizes[:free])
    order = np.argsort(np.concatenate(values), kind="stable")
    gone = np.cumsum(np.concatenate(sizes)[order])
    count = int(np.searchsorted(gone, goal))
    if goal > 0 and count >= len(gone):
        reached = gone[-1] / sum(s.size for s in scores.values()) if len(gone) else 0.0
        raise SettingsError(
            f"sparsity {sparsity:g} cannot be reached in {granularity}: {reached:.3f} is the most that leaves every "
            "layer something",
            hint="a lower sparsity, or a finer granularity",
        )
    chosen = order[: count + 1] if goal > 0 else order[:0]
    number, place = np.concatenate(names)[chosen], np.concatenate(places)[chosen]
    kept = {}
    for index, (name, groups) in enumerate(layers.items()):
        stays = np.ones(len(groups.order), bool)
        stays[groups.order[place[number == index]]] = False
        kept[name] = stays[groups.ids]
    return kept


def _grouped(scores: Array, granularity: Granularity, comparable: bool) -> _Groups:
    ids = groups_of(scores.shape, granularity)
    sizes = np.bincount(ids.reshape(-1))
    each = np.bincount(ids.reshape(-1), scores.reshape(-1)) / sizes
    order = np.argsort(each, kind="stable")
    value = each[order]
    if not comparable:
        rest = np.cumsum((value * sizes[order])[::-1])[::-1]
        value = np.divide(value, rest, out=np.zeros_like(value), where=rest > 0)
    return _Groups(ids, order, sizes[order], value)
