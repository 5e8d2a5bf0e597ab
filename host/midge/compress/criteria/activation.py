"""A weight counts as much as what it is multiplied with: its part in the energy of its layer's sums.

Source: Sun et al., Wanda, arXiv 2306.11695, equation 1; here squared, so that scores of several weights add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from midge.compress.apply import Material
from midge.compress.weighted import Weights, for_each_input, form_of, samples_for
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array
from midge.numerics.matrix_form import MatrixForm
from midge.quantize.samples import Samples

COMPARABLE = False
ROUNDS = 1


def scores(graph: Graph, weights: Sequence[Weights], material: Material) -> Mapping[str, Array]:
    """w^2 times the sum of squares that reach w over the calibration samples; w^2 for a layer that is no product."""
    energies = input_energies(graph, samples_for(graph, material, "the criterion activation"), material)
    found = {}
    for w in weights:
        seen = [energies[op.name] for op in w.layers if op.name in energies]
        found[w.name] = w.real**2 * (np.sum(seen, axis=0) if seen else 1.0)
    return found


def input_energies(graph: Graph, samples: Samples, material: Material) -> Mapping[str, Array]:
    """By layer, the mean square of what each weight multiplies, of the weights' shape."""
    sums: dict[str, Array] = {}

    def see(op: Op, form: MatrixForm, rows: Array) -> None:
        squares = (rows**2).sum(axis=1)
        sums[op.name] = sums[op.name] + squares if op.name in sums else squares

    for_each_input(graph, samples, see, material.progress)
    return {op.name: as_weights(graph, op, sums[op.name] / len(samples)) for op in graph.ops if op.name in sums}


def as_weights(graph: Graph, op: Op, columns: Array) -> Array:
    """Values by group and column (G, K) as an array of the layer's weights."""
    form, shape = form_of(graph, op), graph.tensors[op.inputs[1]].shape
    assert form is not None
    like = form.weights(np.empty(shape))
    return form.restore(np.broadcast_to(columns[:, :, None], like.shape))
