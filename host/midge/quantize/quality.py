"""How near the int8 network stays to the float one, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log10

import numpy as np

from midge.interpreter import interpret_all
from midge.ir.graph import Array, DType, Graph, Tensor
from midge.numerics.fixed_point import quantize_array
from midge.progress import Progress, silent
from midge.quantize.samples import Samples


@dataclass(frozen=True)
class LayerQuality:
    """Signal to quantization noise of a layer's output in decibels: power of the float values over the error's."""

    layer: str
    kind: str
    sqnr_db: float


def layer_sqnr(
    float_graph: Graph, int_graph: Graph, samples: Samples, progress: Progress = silent
) -> tuple[LayerQuality, ...]:
    """Each layer's quality over `samples` (float inputs), in order, the errors of earlier layers included.

    Layers are those of `int_graph` whose output has its name, or a name behind which the float one lies, in
    `float_graph`.
    """
    layers = [op for op in int_graph.ops if op.outputs[0] in float_graph.tensors]
    powers = np.zeros((len(layers), 2))
    for sample in progress(samples, "comparing layers"):
        exact = interpret_all(float_graph, sample)
        given = [_as_wanted(t, v) for t, v in zip(int_graph.input_tensors, sample, strict=True)]
        found = interpret_all(int_graph, given)
        for row, op in zip(powers, layers, strict=True):
            name = op.outputs[0]
            wanted = exact[name].astype(np.float64)
            row += (wanted**2).sum(), ((real_values(int_graph.tensors[name], found[name]) - wanted) ** 2).sum()
    return tuple(
        LayerQuality(op.name, op.kind, _decibels(*row)) for op, row in zip(layers, powers.tolist(), strict=True)
    )


def real_values(tensor: Tensor, values: Array) -> Array:
    """What the values of `tensor` stand for, in float64."""
    if tensor.quant is None:
        return values.astype(np.float64)
    real: Array = (values.astype(np.float64) - tensor.q.zero_point) * tensor.q.scale
    return real


def _as_wanted(tensor: Tensor, real: Array) -> Array:
    return real if tensor.dtype is DType.F32 else quantize_array(real, tensor.q, tensor.dtype)


def _decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return inf
    return 10 * log10(signal / noise) if signal > 0 else -inf
