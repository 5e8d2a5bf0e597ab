"""Ranges of activations chosen by what they do to the layers that read them.

A range of a method (the extremes, percentiles, least squares, relative entropy) is good when the outputs of the next
layers stay near those in float: a tensor whose outliers matter keeps them, another does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from midge.interpreter import interpret_all
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array, DType
from midge.numerics.fixed_point import quantize_array
from midge.progress import Progress, silent
from midge.quantize.histogram import Histogram
from midge.quantize.ranges import Method, Range, activation_quant, chosen_range
from midge.quantize.samples import Samples

# So many samples tell the candidates apart.
_SAMPLES = 16
_CANDIDATES: tuple[tuple[Method, float], ...] = (
    ("minmax", 100.0),
    ("percentile", 99.999),
    ("percentile", 99.99),
    ("percentile", 99.9),
    ("mse", 100.0),
    ("kl", 100.0),
)


def ranges_by_output(
    graph: Graph, seen: Mapping[str, Histogram], samples: Samples, progress: Progress = silent
) -> Mapping[str, Range]:
    """For every activation in `seen` the candidate range of least squared error after the operators that read it."""
    chosen = np.linspace(0, len(samples) - 1, min(_SAMPLES, len(samples))).astype(int)
    values = [interpret_all(graph, samples[int(i)]) for i in chosen]
    names = list(seen)
    return {names[i]: _best(graph, names[i], seen[names[i]], values) for i in progress(range(len(names)), "ranges")}


def _best(graph: Graph, name: str, seen: Histogram, values: Sequence[Mapping[str, Array]]) -> Range:
    candidates = list(dict.fromkeys(chosen_range(seen, method, percentile) for method, percentile in _CANDIDATES))
    if len(candidates) == 1 or graph.tensors[name].dtype is not DType.F32:
        return candidates[0]
    readers = graph.consumers(name)
    return min(candidates, key=lambda r: sum(_error(graph, readers, name, r, known) for known in values))


def _error(graph: Graph, readers: Sequence[Op], name: str, candidate: Range, known: Mapping[str, Array]) -> float:
    quant = activation_quant(candidate)
    rounded = quantize_array(known[name], quant, DType.S8).astype(np.float32)
    rounded = ((rounded - quant.zero_point) * quant.scale).astype(np.float32)
    total = float(((rounded - known[name]) ** 2).sum()) if name in graph.outputs or not readers else 0.0
    for op in readers:
        given = [rounded if n == name else known[n] for n in op.inputs]
        found = op.evaluate(graph.inputs_of(op), graph.outputs_of(op), given)
        total += sum(
            float(((f - known[n]).astype(np.float64) ** 2).sum()) for f, n in zip(found, op.outputs, strict=True)
        )
    return total
