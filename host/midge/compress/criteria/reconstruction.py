"""What leaves the least error in its layer's sums when all that remains makes up for it goes first.

w^2 / [(X^T X)^-1]_ww, X being the inputs that meet the weights of an output that are left. What is left is fitted after
each round, see midge.compress.least_squares. Source: Frantar and Alistarh, Optimal Brain Compression, arXiv 2208.11580,
equation 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from midge.compress.apply import Material
from midge.compress.systems import inverse_diagonal, is_summed, most_rows
from midge.compress.weighted import Weights, for_each_input, form_of, samples_for
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array
from midge.numerics.matrix_form import MatrixForm

COMPARABLE = False
# Correlated weights all look cheap as long as the others are there.
ROUNDS = 4

# Added to the diagonal, beside its mean: few samples leave directions of which they say nothing.
_DAMPING = 1e-2


def scores(graph: Graph, weights: Sequence[Weights], material: Material) -> Mapping[str, Array]:
    """The growth of the squared error, each weight gone alone; w^2 for a layer that is no product."""
    names = {op.name for w in weights for op in w.layers}
    samples = samples_for(graph, material, "the criterion reconstruction")
    seen: dict[str, _Seen] = {}

    def see(op: Op, form: MatrixForm, rows: Array) -> None:
        if op.name in names:
            seen[op.name] = _added(seen.get(op.name), rows, len(samples))

    for_each_input(graph, samples, see, material.progress)
    found = {}
    for w in weights:
        known = [seen[op.name] for op in w.layers if op.name in seen]
        if not known:
            found[w.name] = w.real**2
            continue
        form = form_of(graph, w.layers[0])
        assert form is not None
        found[w.name] = np.asarray(form.restore(_growth(form.weights(w.real), known, len(samples))))
    return found


@dataclass(frozen=True, eq=False)
class _Seen:
    """Of a layer's inputs: the sum of X^T X (G, K, K) over samples, or rows (G, N, K) that have its mean."""

    squares: Array | None
    rows: tuple[Array, ...]


def _added(before: _Seen | None, rows: Array, samples: int) -> _Seen:
    groups, places, columns = rows.shape
    if is_summed(columns, places * samples):
        square = rows.transpose(0, 2, 1) @ rows
        return _Seen(square if before is None or before.squares is None else before.squares + square, ())
    count = min(places, max(1, most_rows(groups * columns) // samples))
    some = rows[:, np.linspace(0, places - 1, count).astype(np.int64)] * np.sqrt(places / count / samples)
    return _Seen(None, (some,) if before is None else (*before.rows, some))


def _growth(weights: Array, seen: Sequence[_Seen], samples: int) -> Array:
    """For weights (G, K, O) and what all layers that have them see."""
    squares = [s.squares for s in seen if s.squares is not None]
    rows = [] if squares else [row for s in seen for row in s.rows]
    inputs: Array = np.sum(squares, axis=0) / samples if squares else np.concatenate(rows, axis=1)
    grown = np.zeros_like(weights)
    for group, some in enumerate(inputs):
        energies = np.diag(some) if squares else (some**2).sum(axis=0)
        least = _DAMPING * float(energies.mean()) + float(np.finfo(np.float64).tiny)
        spread: dict[bytes, Array] = {}
        for output in range(weights.shape[2]):
            left = weights[group, :, output] != 0
            key = left.tobytes()
            if key not in spread:
                if squares:
                    spread[key] = np.diag(np.linalg.inv(some[np.ix_(left, left)] + least * np.eye(int(left.sum()))))
                else:
                    spread[key] = inverse_diagonal(some[:, left], least)
            grown[group, left, output] = weights[group, left, output] ** 2 / spread[key]
    return grown
