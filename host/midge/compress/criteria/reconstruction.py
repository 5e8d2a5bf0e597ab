"""What leaves the least error in its layer's sums when all that remains makes up for it goes first.

w^2 / [(X^T X)^-1]_ww, X being the inputs that meet the weights of an output that are left. What is left is fitted after
each round, see midge.compress.least_squares. Source: Frantar and Alistarh, Optimal Brain Compression, arXiv 2208.11580,
equation 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from midge.compress.apply import Material
from midge.compress.least_squares import MOST_COLUMNS
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
    """The growth of the squared error, each weight gone alone; w^2 for a layer that is no product.

    In a layer of very many inputs others make up for nothing.
    """
    names = {op.name for w in weights for op in w.layers}
    squares: dict[str, Array] = {}

    def see(op: Op, form: MatrixForm, rows: Array) -> None:
        if op.name in names:
            wide = rows.shape[2] > MOST_COLUMNS
            found = (rows**2).sum(axis=1) if wide else rows.transpose(0, 2, 1) @ rows
            squares[op.name] = squares[op.name] + found if op.name in squares else found

    samples = samples_for(graph, material, "the criterion reconstruction")
    for_each_input(graph, samples, see, material.progress)
    found = {}
    for w in weights:
        known = [op for op in w.layers if op.name in squares]
        if not known:
            found[w.name] = w.real**2
            continue
        form = form_of(graph, known[0])
        assert form is not None
        total = np.sum([squares[op.name] for op in known], axis=0) / len(samples)
        found[w.name] = np.asarray(form.restore(_growth(form.weights(w.real), total)))
    return found


def _growth(weights: Array, squares: Array) -> Array:
    """For weights (G, K, O), and X^T X (G, K, K) or only its diagonal (G, K)."""
    if squares.ndim == 2:
        return np.asarray(weights**2 * squares[:, :, None])
    grown = np.zeros_like(weights)
    for group, square in enumerate(squares):
        least = _DAMPING * float(np.diag(square).mean()) + np.finfo(np.float64).tiny
        spread: dict[bytes, Array] = {}
        for output in range(weights.shape[2]):
            left = weights[group, :, output] != 0
            key = left.tobytes()
            if key not in spread:
                system = square[np.ix_(left, left)] + least * np.eye(int(left.sum()))
                spread[key] = np.diag(np.linalg.inv(system))
            grown[group, left, output] = weights[group, left, output] ** 2 / spread[key]
    return grown
