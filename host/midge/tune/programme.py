"""The exact integer programme of a mixed-width network: one choice for each layer, the least error for what it costs.

Each choice adds an error and costs of several kinds. All sets of choices of which none is better in everything are
found layer by layer: a partial set that another one beats in error and every cost can be in no best set, and is dropped
(the multiple-choice knapsack problem by dominance, Kellerer et al., "Knapsack Problems", chapter 11). No solver is
needed for the dozens of layers that such networks have, and every budget is answered at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Above this many partial sets costs are counted in coarser steps, so that it ends in seconds whatever the network.
MOST_SETS = 4000


@dataclass(frozen=True)
class Choice:
    """One way to do a layer: the error that it adds, and what it costs of each kind (in any unit)."""

    error: float
    costs: tuple[float, ...]


@dataclass(frozen=True)
class Chosen:
    """A choice for every layer, by its index, with the sums of errors and costs."""

    picks: tuple[int, ...]
    error: float
    costs: tuple[float, ...]


def best_sets(layers: Sequence[Sequence[Choice]], budgets: Sequence[float]) -> tuple[Chosen, ...]:
    """The sets of choices that no other beats in error and in every cost, within `budgets`; the least error first.

    There is one budget for each kind of cost (inf for none). Exact as long as there are at most MOST_SETS partial sets.
    """
    limits = np.asarray(budgets, np.float64)
    rest = _least_costs(layers, len(limits))
    picks = np.zeros((1, 0), np.int64)
    values = np.zeros((1, 1 + len(limits)))
    for number, choices in enumerate(layers):
        added = np.array([[c.error, *c.costs] for c in choices])
        values = (values[:, None, :] + added[None]).reshape(-1, values.shape[1])
        grown = np.repeat(picks, len(choices), axis=0)
        picks = np.concatenate([grown, np.tile(np.arange(len(choices)), len(picks))[:, None]], axis=1)
        possible = (values[:, 1:] + rest[number + 1] <= limits).all(axis=1)
        picks, values = picks[possible], values[possible]
        kept = _undominated(_coarser(values))
        picks, values = picks[kept], values[kept]
    order = np.argsort(values[:, 0], kind="stable")
    return tuple(
        Chosen(tuple(int(p) for p in picks[i]), float(values[i, 0]), tuple(float(c) for c in values[i, 1:]))
        for i in order
    )


def _least_costs(layers: Sequence[Sequence[Choice]], kinds: int) -> NDArray[np.float64]:
    """Row i: what layers i and later cost at least, of each kind by itself."""
    least = [np.min([c.costs for c in choices], axis=0) for choices in layers]
    rows = np.zeros((len(layers) + 1, kinds))
    for number in reversed(range(len(layers))):
        rows[number] = rows[number + 1] + least[number]
    return rows


def _coarser(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Costs in steps, when there are too many sets to compare: sets within one step of each other count as equal."""
    if len(values) <= MOST_SETS:
        return values
    span = np.ptp(values[:, 1:], axis=0)
    steps = np.where(span > 0, span / 64, 1.0)
    return np.column_stack([values[:, 0], np.ceil(values[:, 1:] / steps)])


def _undominated(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of the rows that no other row equals or beats in every column; of equal rows the first."""
    order = np.lexsort(values.T[::-1])
    kept: list[int] = []
    front = np.empty_like(values)
    for index in order:
        row = values[index]
        if not (front[: len(kept)] <= row).all(axis=1).any():
            front[len(kept)] = row
            kept.append(int(index))
    return np.array(kept, np.int64)
