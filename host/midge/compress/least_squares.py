"""What remains of a layer is fitted to what the layer gave: least squares over calibration samples, layer by layer.

Inputs are those that reach the layer in the pruned network, so that it makes up for earlier layers too; outputs are
those of the network before pruning, in front of the fused activation. Weights that are gone stay gone; the bias moves.

Source of the idea: Frantar and Alistarh, Optimal Brain Compression, arXiv 2208.11580, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from midge.compress.systems import Rows, Sums, is_summed, most_rows
from midge.compress.weighted import form_of, real_weights, with_real
from midge.ir.graph import Graph, Op
from midge.ir.rewrite import count_readers
from midge.ir.tensor import Array, DType, Tensor
from midge.numerics.matrix_form import MatrixForm
from midge.progress import Progress, silent
from midge.quantize.quality import real_values
from midge.quantize.refine import samples_that_fit
from midge.quantize.samples import Samples

# So many rows of windows are looked at for a layer.
_MOST_ROWS = 1 << 15


@dataclass(frozen=True, eq=False)
class _Layer:
    """A layer in matrix form: `weights` (G, K, O), which of them are `kept`, `bias` (G, O), 0 where there is none.

    In `system` the last column of a row is 1, or 0 for a layer without bias.
    """

    form: MatrixForm
    weights: Array
    kept: Array
    bias: Array
    system: Sums | Rows

    def errors(self, weights: Array, bias: Array) -> Array:
        """The sum of squared errors of each output (G, O), less what is the same for all weights."""
        return self.system.errors(np.concatenate([weights, bias[:, None, :]], axis=1))

    def solved(self) -> tuple[Array, Array]:
        """The best weights (G, K, O), zero where they are gone, and bias (G, O)."""
        both = np.concatenate([self.weights, self.bias[:, None, :]], axis=1)
        free = np.concatenate([self.kept, np.ones_like(self.kept[:, :1])], axis=1)
        found = self.system.solved(both, free)
        return found[:, :-1], found[:, -1]


def fit_remaining(
    graph: Graph, original: Graph, kept: Mapping[str, Array], samples: Samples, seed: int, progress: Progress = silent
) -> Graph:
    """The pruned `graph` with the weights that are True in `kept` (by the names of constants) fitted to `original`.

    Both have the same layers. No output of a layer is further off than before, in the mean square over `samples` with
    the inputs that then reach it; weights that several layers share stay as they are.
    """
    some = samples_that_fit(original, samples)
    readers = count_readers(graph)
    tensors = dict(graph.tensors)
    theirs = [dict(zip(original.inputs, sample, strict=True)) for sample in some]
    mine = [dict(values) for values in theirs]
    for index in progress(range(len(graph.ops)), "fitting what remains"):
        op, old = graph.ops[index], original.ops[index]
        if _can_fit(graph, op, kept, readers[op.inputs[1]] if len(op.inputs) > 1 else 0):
            pairs = [(m[op.inputs[0]], t[old.inputs[0]]) for m, t in zip(mine, theirs, strict=True)]
            made = _fitted(replace(graph, tensors=tensors), original, op, kept[op.inputs[1]], pairs, seed)
            tensors.update((t.name, t) for t in made)
        for values, run, network in ((theirs, old, original.tensors), (mine, op, tensors)):
            _advance(values, run, network, {n for later in graph.ops[index + 1 :] for n in later.inputs})
    return replace(graph, tensors=tensors)


def _advance(values: Sequence[dict[str, Array]], op: Op, tensors: Mapping[str, Tensor], later: set[str]) -> None:
    inputs, outputs = [tensors[n] for n in op.inputs], [tensors[n] for n in op.outputs]
    for known in values:
        given = [t.data if t.data is not None else known[t.name] for t in inputs]
        known.update(zip(op.outputs, op.evaluate(inputs, outputs, given), strict=True))
        for name in {*op.inputs, *op.outputs} - later:
            known.pop(name, None)


def _can_fit(graph: Graph, op: Op, kept: Mapping[str, Array], readers: int) -> bool:
    if form_of(graph, op) is None or op.inputs[1] not in kept or readers != 1:
        return False
    return all(graph.tensors[n].is_constant for n in op.inputs[1:])


def _fitted(
    graph: Graph, original: Graph, op: Op, kept: Array, pairs: Sequence[tuple[Array, Array]], seed: int
) -> list[Tensor]:
    """The layer's better weights and bias."""
    x, weights, *bias = graph.inputs_of(op)
    layer = _gathered(graph, original, op, kept, pairs, np.random.default_rng(seed))
    steps = _by_output(layer.form, _bias_steps(op, x, weights))
    solved, offset = layer.solved()
    held = layer.form.weights(real_weights(with_real(weights, layer.form.restore(solved))))
    offset = np.rint(offset / steps) * steps if x.quant is not None else offset
    gain = layer.errors(held, offset) < layer.errors(layer.weights, layer.bias)
    made = [with_real(weights, layer.form.restore(np.where(gain[:, None, :], held, layer.weights)))]
    if bias:
        found = np.where(gain, offset, layer.bias) / steps
        values = layer.form.place(found[:, None, :], bias[0].shape)
        kind = bias[0].dtype
        values = values if kind is DType.F32 else np.clip(np.rint(values), *kind.limits)
        made.append(replace(bias[0], data=values.astype(kind.numpy)))
    return made


def _gathered(
    graph: Graph,
    original: Graph,
    op: Op,
    kept: Array,
    pairs: Sequence[tuple[Array, Array]],
    rng: np.random.Generator,
) -> _Layer:
    """The layer with what reaches it now and reached it before."""
    form = form_of(graph, op)
    old = next(o for o in original.ops if o.name == op.name)
    assert form is not None
    x, weights, *bias = graph.inputs_of(op)
    before = original.inputs_of(old)
    matrix, wanted = form.weights(real_weights(weights)), form.weights(real_weights(before[1]))
    groups, columns, outputs = matrix.shape
    offset = _real_bias(form, op, before) if bias else np.zeros((groups, outputs))
    own = _real_bias(form, op, (x, weights, *bias)) if bias else np.zeros((groups, outputs))

    def seen(most: int) -> Iterator[tuple[Array, Array]]:
        each = max(1, most // len(pairs))
        for mine, theirs in pairs:
            rows, targets = form.rows(real_values(x, mine)), form.rows(real_values(before[0], theirs))
            if rows.shape[1] > each:
                some = rng.choice(rows.shape[1], each, replace=False)
                rows, targets = rows[:, some], targets[:, some]
            rows = np.concatenate([rows, np.full((*rows.shape[:2], 1), float(bool(bias)))], axis=2)
            yield rows, targets @ wanted + offset[:, None, :]

    places = math.prod(graph.tensors[op.outputs[0]].shape[1:-1])
    if is_summed(columns, min(_MOST_ROWS, places * len(pairs))):
        system: Sums | Rows = _summed(seen(_MOST_ROWS), (groups, columns + 1, outputs))
    else:
        system = _stacked(seen(most_rows(groups * columns)))
    return _Layer(form, matrix, form.weights(kept), own, system)


def _summed(seen: Iterable[tuple[Array, Array]], shape: tuple[int, int, int]) -> Sums:
    groups, columns, outputs = shape
    square, cross = np.zeros((groups, columns, columns)), np.zeros((groups, columns, outputs))
    for rows, targets in seen:
        turned = rows.transpose(0, 2, 1)
        square += turned @ rows
        cross += turned @ targets
    return Sums(square, cross)


def _stacked(seen: Iterable[tuple[Array, Array]]) -> Rows:
    rows, targets = zip(*seen, strict=True)
    return Rows(np.concatenate(rows, axis=1), np.concatenate(targets, axis=1))


def _by_output(form: MatrixForm, values: Array) -> Array:
    """One value for each output channel as (G, O)."""
    return form.outputs(values.reshape(1, 1, 1, -1))[:, 0]


def _real_bias(form: MatrixForm, op: Op, tensors: Sequence[Tensor]) -> Array:
    x, weights, bias = tensors
    return _by_output(form, np.asarray(bias.data, np.float64) * _bias_steps(op, x, weights))


def _bias_steps(op: Op, x: Tensor, weights: Tensor) -> Array:
    """What 1 in a bias stands for, by output channel."""
    units = weights.shape[op.weight_axis[1]]
    scales = np.asarray(weights.q.scales) * x.q.scale if x.quant is not None else np.ones(1)
    return np.broadcast_to(scales, (units,)).astype(np.float64)
