"""Which weights go together, and which of them go: the granularities of pruning that leave shapes as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from midge.compress.steps import Granularity, Prune
from midge.compress.weighted import Weights
from midge.errors import SettingsError
from midge.ir.tensor import Array

# Vectors lie along this axis of the weights (input channels), aligned to their length.
AXIS = -1
_VECTORS = {"fine": 1, "1x2": 2, "1x4": 4}
# (N, M): N of M neighbors along AXIS stay.
RATIOS = {"1:4": (1, 4), "2:4": (2, 4), "1:8": (1, 8)}
# No layer keeps less than this part of the share that the network keeps: one that is all but cut through cannot learn.
_LEAST_SHARE = 0.2


def ratio_sparsity(granularity: Granularity) -> float | None:
    """The sparsity that a granularity of N:M is; None for another one."""
    return None if granularity not in RATIOS else 1 - RATIOS[granularity][0] / RATIOS[granularity][1]


def suits(weights: Weights, granularity: Granularity) -> bool:
    """Whether weights have groups of the granularity: vectors need input channels, kernels more than one tap."""
    op, shape = weights.layers[0], weights.tensor.shape
    if granularity == "fine":
        return True
    if op.kind not in ("conv2d", "fully_connected", "depthwise_conv2d"):
        return False
    if granularity == "kernels":
        return len(shape) == 4 and shape[1] * shape[2] > 1
    along = RATIOS[granularity][1] if granularity in RATIOS else _VECTORS[granularity]
    return op.kind != "depthwise_conv2d" and shape[AXIS] >= along


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
    """The number of the group that each weight belongs to; the last one of a row may be short."""
    if granularity == "kernels":
        return np.broadcast_to(np.arange(shape[0] * shape[3]).reshape(shape[0], 1, 1, shape[3]), shape)
    along = RATIOS[granularity][1] if granularity in RATIOS else _VECTORS[granularity]
    rows, size = int(np.prod(shape[:AXIS])), shape[AXIS]
    each = -(-size // along)
    return (np.arange(rows)[:, None] * each + np.arange(size) // along).reshape(shape)


def kept_of_each(scores: Array, granularity: Granularity, sparsity: float) -> Array:
    """N of M: the N best of each group of M; of a short one its part, rounded up. At a lower `sparsity` than that the
    best of the others stay too."""
    stay, along = RATIOS[granularity]
    size = scores.shape[AXIS]
    rows = np.full((int(np.prod(scores.shape[:AXIS])), -(-size // along) * along), -1.0)
    rows[:, :size] = scores.reshape(len(rows), size)
    rank = np.argsort(np.argsort(-rows.reshape(-1, along), axis=1, kind="stable"), axis=1).reshape(rows.shape)
    allowed = np.full(rows.shape[1], stay)
    if size % along:
        allowed[size - size % along :] = -(-stay * (size % along) // along)
    kept: Array = (rank < allowed)[:, :size].reshape(scores.shape)
    order = np.argsort(np.where(kept, np.inf, scores).reshape(-1), kind="stable")
    stays = np.ones(scores.size, bool)
    stays[order[: min(round(sparsity * scores.size), int((~kept).sum()))]] = False
    left: Array = kept | stays.reshape(scores.shape)
    return left


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
