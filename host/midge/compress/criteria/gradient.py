"""What changes the loss least when it is gone, to first order: the square of weight times gradient, batch by batch.

The loss is the cross entropy of the labels of split 1; without labels the squared distance from the outputs that the
network gives when its inputs are disturbed a little. Source: Molchanov et al., arXiv 1906.10771, equation 8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from midge.compress.apply import Material
from midge.compress.weighted import Weights, form_of, samples_for
from midge.errors import SettingsError
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array
from midge.ops.softmax import Softmax
from midge.quantize.backward import Values, can_pull_back, evaluated, is_free, through

COMPARABLE = True
ROUNDS = 1

_BATCH = 8
# How far inputs are disturbed, beside their spread.
_NOISE = 0.05


def scores(graph: Graph, weights: Sequence[Weights], material: Material) -> Mapping[str, Array]:
    """Sums over batches. Raises SettingsError for an integer network, and for a layer that no gradient reaches."""
    ops, softmax = _differentiable(graph, weights)
    samples = samples_for(graph, material, "the criterion gradient")
    labels = _labels(material, len(samples))
    end = ops[-1].outputs[0] if softmax else graph.outputs[0]
    rng = np.random.default_rng(material.settings.seed)
    total = {w.name: np.zeros(w.tensor.shape) for w in weights}
    order = rng.permutation(len(samples))
    starts = range(0, len(samples), _BATCH)
    for start in material.progress(starts, "taking gradients"):
        places = order[start : start + _BATCH]
        inputs = [np.concatenate([samples[i][k] for i in places]) for k in range(len(graph.inputs))]
        values = _run(graph, inputs)
        gradient = _gradient(graph, values, end, None if labels is None else labels[places], inputs, rng)
        found = through(graph, ops, values, end, gradient)
        for w in weights:
            total[w.name] += (w.real * _by_weights(graph, w, values, found)) ** 2
    return total


def _differentiable(graph: Graph, weights: Sequence[Weights]) -> tuple[list[Op], bool]:
    """The operators that gradients go through, and whether a softmax came behind them."""
    if not graph.is_float or any(w.tensor.quant is not None for w in weights):
        raise SettingsError(
            f"{graph.name} is an integer model, which has no gradients",
            hint="prune the float model, or take another criterion: activation, stability, reconstruction",
        )
    ops = list(graph.ops)
    softmax = isinstance(ops[-1], Softmax) and ops[-1].outputs[0] == graph.outputs[0]
    if softmax:
        ops.pop()
    first = min(next(i for i, op in enumerate(graph.ops) if op.name == w.layers[0].name) for w in weights)
    stuck = [op for op in ops[first:] if not can_pull_back(graph, op)]
    if not ops or stuck or len(graph.outputs) != 1:
        where = f"do not come back through {stuck[0].name} ({stuck[0].kind})" if stuck else "need one output"
        raise SettingsError(
            f"gradients of {graph.name} {where}",
            hint="take another criterion: activation, stability, reconstruction",
        )
    return ops[first:], softmax


def _labels(material: Material, count: int) -> Array | None:
    """Of the samples that samples_for gives."""
    if material.data is None or material.data.labels is None:
        return None
    chosen = material.data.calibrate
    if len(chosen) > count:
        chosen = chosen[np.linspace(0, len(chosen) - 1, count).astype(np.intp)]
    return np.asarray(material.data.labels[chosen])


def _run(graph: Graph, inputs: Sequence[Array]) -> dict[str, Array]:
    values = dict(zip(graph.inputs, inputs, strict=True))
    for op in graph.ops:
        values.update(zip(op.outputs, evaluated(graph, op, values), strict=True))
    return values


def _gradient(
    graph: Graph, values: Values, end: str, labels: Array | None, inputs: Sequence[Array], rng: np.random.Generator
) -> Array:
    """Of the mean loss, by the values of `end`."""
    found = values[end]
    flat = found.reshape(len(found), -1).astype(np.float64)
    if labels is not None and 1 < flat.shape[1] > labels.max():
        shifted = np.exp(flat - flat.max(axis=1, keepdims=True))
        slope = shifted / shifted.sum(axis=1, keepdims=True)
        slope[np.arange(len(flat)), labels] -= 1
    else:
        disturbed = [x + (_NOISE * x.std() * rng.standard_normal(x.shape)).astype(x.dtype) for x in inputs]
        slope = 2 * (flat - _run(graph, disturbed)[end].reshape(flat.shape))
    return np.asarray(slope / len(flat), np.float32).reshape(found.shape)


def _by_weights(graph: Graph, weights: Weights, values: Values, gradients: Values) -> Array:
    """The gradient by weights from those by the outputs of their layers."""
    total = np.zeros(weights.tensor.shape)
    for op in weights.layers:
        form, result = form_of(graph, op), op.outputs[0]
        if form is not None and result in gradients:
            free = form.outputs(gradients[result] * is_free(op, values[result])).astype(np.float64)
            total += form.restore(form.rows(values[op.inputs[0]]).astype(np.float64).transpose(0, 2, 1) @ free)
    return total
