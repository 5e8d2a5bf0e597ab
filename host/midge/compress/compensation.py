"""Rounding to few values, one input after the other, so that later weights make up for the errors of earlier ones.

Where inputs of a layer go together, what one weight is off by can be taken off another. With H the second moments of
the layer's inputs, the best change of what is not rounded yet is in closed form.

Source: Frantar et al., GPTQ, arXiv 2210.17323, equations 2 and 3 with the Cholesky form of its section 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from midge.compress.apply import Material
from midge.compress.kmeans import nearest_center
from midge.compress.weighted import Weights, for_each_input
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array, Tensor
from midge.numerics.matrix_form import MatrixForm
from midge.quantize.samples import Samples

F64 = NDArray[np.float64]

# The largest int8 weight: codes of float weights are 127ths of their channel's largest.
END = 127
# Windows of more values take longer than all else; their inputs count one by one.
MOST_COLUMNS = 2048
# What is added to the diagonal, as a part of its mean: few samples say little of some inputs.
_STEADY = 0.01


def second_moments(graph: Graph, layers: Sequence[str], samples: Samples, material: Material) -> dict[str, F64]:
    """By layer, where windows are not too large: means of products of inputs, (G, K, K), made regular."""
    sums: dict[str, Array] = {}

    def see(op: Op, form: MatrixForm, rows: Array) -> None:
        if op.name in layers and rows.shape[2] <= MOST_COLUMNS:
            part = rows.transpose(0, 2, 1) @ rows / rows.shape[1]
            sums[op.name] = sums[op.name] + part if op.name in sums else part

    for_each_input(graph, samples, see, material.progress)
    return {name: _regular(found / len(samples)) for name, found in sums.items()}


def refined(before: Weights, after: Tensor, form: MatrixForm, moments: F64) -> Tensor:
    """Clustered weights of one layer with values of the same table that give its outputs better, channel by channel.

    A float channel keeps a weight at the end of the table, and has another scale. Channels that become no better stay.
    """
    steps = _steps(before, after)
    codes = np.rint(
        np.asarray(after.data, np.float64) / (1 if after.quant is not None else np.where(steps > 0, steps, 1))
    )
    real, old, sizes = form.weights(before.real), form.weights(codes), form.weights(steps)[:, :1]
    sizes = np.where(sizes > 0, sizes, 1)
    new, grown = compensated(real, sizes, moments, np.unique(codes)), sizes
    better = np.ones((len(real), real.shape[2]), bool)
    if after.quant is None:
        grown = best_steps(real, new, sizes, moments)
        better = np.abs(new).max(axis=1) == np.abs(codes).max()
    better &= output_errors(real - new * grown, moments) < output_errors(real - old * sizes, moments)
    chosen = np.where(better[:, None], new, old)
    if after.quant is not None:
        return replace(after, data=np.ascontiguousarray(form.restore(chosen)).astype(after.dtype.numpy))
    made = chosen.astype(np.float32) * np.where(better[:, None], grown, sizes).astype(np.float32)
    return replace(after, data=np.ascontiguousarray(form.restore(made)).astype(np.float32))


def _steps(before: Weights, after: Tensor) -> F64:
    """The size of an integer step for each weight, of the weights' shape."""
    if after.quant is not None:
        shape = [-1 if i == after.quant.axis else 1 for i in range(len(after.shape))]
        scales = np.asarray(after.quant.scales).reshape(shape if after.quant.axis is not None else 1)
        return np.broadcast_to(scales, after.shape)
    axis = before.layers[0].weight_axis[1]
    axes = tuple(i for i in range(len(after.shape)) if i != axis)
    most = np.abs(np.asarray(after.data, np.float64)).max(axis=axes, keepdims=True)
    return np.broadcast_to(most / END, after.shape)


def _regular(moments: F64) -> F64:
    mean = np.einsum("gkk->g", moments) / moments.shape[1]
    steady = (_STEADY * mean + 1e-12)[:, None, None] * np.eye(moments.shape[1])
    return np.asarray(moments + steady, np.float64)


def compensated(real: F64, steps: F64, moments: F64, table: F64) -> F64:
    """Values of `table` whose products with `steps` (G, 1, O) give nearly the outputs of `real` (G, K, O).

    Zeros of `real` stay zeros. `moments` as from second_moments.
    """
    made = np.empty_like(real)
    for group, (weights, size) in enumerate(zip(real, steps, strict=True)):
        order = np.argsort(-np.diag(moments[group]), kind="stable")
        upper = np.linalg.cholesky(np.linalg.inv(moments[group][np.ix_(order, order)])).T
        left = weights[order].copy()
        for place, index in enumerate(order):
            found = np.where(weights[index] == 0, 0.0, nearest_center(left[place] / size[0], table))
            error = (left[place] - found * size[0]) / upper[place, place]
            left[place + 1 :] -= np.outer(upper[place, place + 1 :], error)
            made[group, index] = found
    return made


def output_errors(change: F64, moments: F64) -> F64:
    """Mean squares at the outputs (G, O) of a change of the weights (G, K, O)."""
    return np.asarray(np.einsum("gko,gkl,glo->go", change, moments, change, optimize=True), np.float64)


def best_steps(real: F64, values: F64, steps: F64, moments: F64) -> F64:
    """The steps (G, 1, O) at which `values` of the table give the nearest outputs; where none is positive, `steps`."""
    power = output_errors(values, moments)
    shared = np.einsum("gko,gkl,glo->go", values, moments, real, optimize=True)
    found = np.where((power > 0) & (shared > 0), shared / np.where(power > 0, power, 1), steps[:, 0])
    return np.asarray(found[:, None], np.float64)
