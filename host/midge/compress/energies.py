"""How much each weight has to say: the mean square of what it multiplies, over calibration samples.

The error that a change d of a weight makes at the layer's output is d times its input, in the mean of squares d^2 times
this energy, as far as inputs are independent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midge.interpreter import interpret_all
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array
from midge.progress import Progress, silent
from midge.quantize.quality import real_values
from midge.quantize.samples import Samples

# No weight counts for less than this part of the mean: what is silent in the samples need not be elsewhere.
_LEAST = 1e-3


def input_energies(
    graph: Graph, ops: Sequence[Op], samples: Samples, progress: Progress = silent
) -> dict[str, NDArray[np.float64]]:
    """By layer, of the shape of its weights; layers that are no plain sums of products are left out.

    `samples` are values of the graph's inputs in their own types; activations count in real units.
    """
    forms = {op.name: form for op in ops if (form := op.as_matrix(graph.inputs_of(op))) is not None}
    if not forms or not len(samples):
        return {}
    sums: dict[str, Array] = {}
    for index in progress(range(len(samples)), "weighing inputs"):
        values = interpret_all(graph, samples[index])
        for op in ops:
            if op.name in forms:
                x = graph.tensors[op.inputs[0]]
                rows = forms[op.name].rows(real_values(x, values[x.name]).astype(np.float64))
                sums[op.name] = sums.get(op.name, 0.0) + (rows**2).mean(axis=1)
    found = {}
    for op in ops:
        if op.name in forms:
            form, weights = forms[op.name], graph.inputs_of(op)[1]
            like = form.weights(np.empty(weights.shape))
            energy = form.restore(np.broadcast_to((sums[op.name] / len(samples))[:, :, None], like.shape))
            found[op.name] = np.maximum(energy, _LEAST * energy.mean()) if energy.any() else np.ones(weights.shape)
    return found
