"""How near an integer network stays to the float one, layer by layer, and what its integers are used for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, log10

import numpy as np
from numpy.typing import NDArray

from midge.interpreter import interpret_all
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array, DType, Tensor
from midge.numerics.fixed_point import quantize_array
from midge.progress import Progress, silent
from midge.quantize.samples import Samples

# A histogram for people: so many bars over the whole range of the type.
BARS = 16


@dataclass(frozen=True)
class LayerQuality:
    """A layer's output in the integer network, over some samples.

    Signal to quantization noise in decibels, the power of the float values over that of the error: `sqnr_db` with the
    errors of all earlier layers, `alone_db` of this layer with inputs that are as good as integers can be. None where
    there is no float network to compare with.

    `range_used`: the part of the type's range between the smallest and the largest value seen, 0 to 1. `saturated`: the
    share of values at either end of the type's range, those apart that a fused activation puts there. `dead_levels`:
    integers between the smallest and the largest that never come up. `histogram`: counts in BARS bins over the type.
    """

    layer: str
    kind: str
    sqnr_db: float | None
    alone_db: float | None
    range_used: float
    saturated: float
    dead_levels: int
    histogram: tuple[int, ...]


def layer_qualities(
    float_graph: Graph | None, int_graph: Graph, samples: Samples, progress: Progress = silent
) -> tuple[LayerQuality, ...]:
    """Each integer layer's quality over `samples`, in order.

    `samples` are float inputs, of `float_graph` or as `int_graph`'s stand for. Layers are compared whose output has its
    name, or a name behind which the float one lies, in `float_graph`.
    """
    quantized = (DType.S8, DType.S16)
    layers = [op for op in int_graph.ops if not op.is_view and int_graph.tensors[op.outputs[0]].dtype in quantized]
    powers = np.zeros((len(layers), 3))
    counts = [np.zeros(_levels(int_graph.tensors[op.outputs[0]]), np.int64) for op in layers]
    for index in progress(range(len(samples)), "comparing layers"):
        sample = samples[index]
        given = [as_wanted(t, v) for t, v in zip(int_graph.input_tensors, sample, strict=True)]
        found = interpret_all(int_graph, given)
        exact = {} if float_graph is None else interpret_all(float_graph, sample)
        for row, seen, op in zip(powers, counts, layers, strict=True):
            output = int_graph.tensors[op.outputs[0]]
            raw = found[output.name].reshape(-1).astype(np.int64) - output.dtype.limits[0]
            seen += np.bincount(raw, minlength=len(seen))
            if output.name in exact:
                row += _powers(int_graph, op, found[output.name], exact)
    return tuple(
        _quality(int_graph, op, row, seen, float_graph) for op, row, seen in zip(layers, powers, counts, strict=True)
    )


def _powers(graph: Graph, op: Op, found: Array, exact: Mapping[str, Array]) -> tuple[float, float, float]:
    """Squared: of the float values, of the error with all earlier ones, of the layer's own."""
    output = graph.tensors[op.outputs[0]]
    wanted = exact[output.name].astype(np.float64)
    error = float(((real_values(output, found) - wanted) ** 2).sum())
    inputs = graph.inputs_of(op)
    if not all(t.is_constant or t.name in exact for t in inputs):
        return float((wanted**2).sum()), error, error
    given = [t.data if t.data is not None else as_wanted(t, exact[t.name]) for t in inputs]
    alone = real_values(output, op.evaluate(inputs, graph.outputs_of(op), given)[0])
    return float((wanted**2).sum()), error, float(((alone - wanted) ** 2).sum())


def _quality(
    graph: Graph, op: Op, powers: NDArray[np.float64], seen: NDArray[np.int64], float_graph: Graph | None
) -> LayerQuality:
    output = graph.tensors[op.outputs[0]]
    compared = float_graph is not None and output.name in float_graph.tensors
    used = np.flatnonzero(seen)
    first, last = (int(used[0]), int(used[-1])) if len(used) else (0, 0)
    ends = [seen[-1]] if _clamps_below(op) else [seen[0], seen[-1]]
    return LayerQuality(
        op.name,
        op.kind,
        _decibels(powers[0], powers[1]) if compared else None,
        _decibels(powers[0], powers[2]) if compared else None,
        (last - first) / (len(seen) - 1),
        float(sum(ends) / max(seen.sum(), 1)),
        last - first + 1 - len(used),
        tuple(int(n) for n in seen.reshape(BARS, -1).sum(axis=1)),
    )


def _clamps_below(op: Op) -> bool:
    """Whether a fused activation puts values at the lower end by definition."""
    return getattr(op, "clamp", (-inf, inf))[0] > -inf


def _levels(tensor: Tensor) -> int:
    low, high = tensor.dtype.limits
    return high - low + 1


def real_values(tensor: Tensor, values: Array) -> Array:
    """What the values of `tensor` stand for, in float64."""
    if tensor.quant is None:
        return values.astype(np.float64)
    real: Array = (values.astype(np.float64) - tensor.q.zero_point) * tensor.q.scale
    return real


def as_wanted(tensor: Tensor, real: Array) -> Array:
    """Real values as `tensor` holds them."""
    if tensor.quant is None:
        return np.asarray(real, tensor.dtype.numpy)
    return real if tensor.dtype is DType.F32 else quantize_array(real, tensor.q, tensor.dtype)


def costliest(layers: Sequence[LayerQuality], most: int = 3) -> tuple[LayerQuality, ...]:
    """The layers whose own noise is largest, by signal to noise, the worst first."""
    compared = [q for q in layers if q.alone_db is not None and q.alone_db < inf]
    return tuple(sorted(compared, key=lambda q: q.alone_db or 0.0)[:most])


def _decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return inf
    return 10 * log10(signal / noise) if signal > 0 else -inf
