"""Block reconstruction: the weights of a block's layers are learnt together, so that what the block gives stays right.

AdaRound makes each layer right by itself; at 4 bits and below too little is left for that. Here the layers of a block
make up for each other: integers, scales and biases move along the gradient of the block's error, in which each value
counts as much as the network's answer depends on it (midge.quantize.curvature). Rounding is passed straight through.

Sources: Li et al., BRECQ, arXiv 2102.05426 (blocks, and the error that counts); Esser et al., arXiv 1902.08153 (steps
that are learnt); Hubara et al., arXiv 2006.10518 (integers that may move further than to the next one).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from midge.ir.graph import Graph
from midge.ir.tensor import Array, Tensor
from midge.progress import Progress, silent
from midge.quantize.backward import evaluated
from midge.quantize.block_learning import ITERATIONS, Learnt, learn
from midge.quantize.blocks import Block, blocks
from midge.quantize.curvature import curvature
from midge.quantize.quality import as_wanted, real_values
from midge.quantize.refine import samples_that_fit
from midge.quantize.samples import Samples
from midge.quantize.weights import bias_limit
from midge.settings import Width

# What a value counts at least, beside the mean of all.
_LEAST_WEIGHT = 0.5


def reconstruct(
    graph: Graph,
    float_graph: Graph,
    samples: Samples,
    width: Callable[[str], Width],
    seed: int,
    progress: Progress = silent,
    iterations: int = ITERATIONS,
) -> Graph:
    """The integer `graph` with the weights of each block learnt; a block stays as it is where that is no gain.

    `float_graph` has the same layers and activations; `width` says how wide the weights of a layer are. Blocks see what
    the integer network really gives them.
    """
    some = samples_that_fit(float_graph, samples)
    parts = blocks(float_graph)
    if len(float_graph.inputs) != 1 or not parts:
        return graph
    exact = _run(float_graph, {float_graph.inputs[0]: np.concatenate([s[0] for s in some])})
    matters = curvature(float_graph, exact, [b.result for b in parts], seed)
    source = graph.input_tensors[0]
    known = {source.name: as_wanted(source, exact[source.name])}
    for index in progress(range(len(parts)), "reconstructing blocks"):
        block = parts[index]
        known = _advanced(graph, known, block.source)
        weights = _weights(matters.get(block.result), exact[block.result])
        given, wanted = known[block.source], exact[block.result]
        found = learn(graph, float_graph, block, given, wanted, weights, width, seed, iterations)
        graph = _better(graph, block, found, known, wanted, weights)
    return graph


def _run(graph: Graph, values: Mapping[str, Array]) -> dict[str, Array]:
    found = dict(values)
    for op in graph.ops:
        found.update(zip(op.outputs, evaluated(graph, op, found), strict=True))
    return found


def _advanced(graph: Graph, known: Mapping[str, Array], until: str) -> dict[str, Array]:
    """The integer values known when `until` is; only what later operators read is kept."""
    found = dict(known)
    for index, op in enumerate(graph.ops):
        if until in found:
            later = {n for o in graph.ops[index:] for n in o.inputs}
            return {name: value for name, value in found.items() if name in later}
        if all(n in found or graph.tensors[n].is_constant for n in op.inputs):
            found.update(zip(op.outputs, evaluated(graph, op, found), strict=True))
    return found


def _weights(matters: Array | None, exact: Array) -> Array:
    """How much each value's squared error counts, 1 on average."""
    if matters is None or not (mean := float(matters.mean())) > 0:
        return np.ones_like(exact)
    weights = _LEAST_WEIGHT + (1 - _LEAST_WEIGHT) * matters / mean
    return np.asarray(weights, np.float32)


def _better(
    graph: Graph, block: Block, found: Sequence[Learnt], known: Mapping[str, Array], wanted: Array, weights: Array
) -> Graph:
    tensors = dict(graph.tensors)
    by_name = {op.name: op for op in graph.ops}
    for layer in found:
        op = by_name[layer.name]
        x, old, *bias = (tensors[n] for n in op.inputs)
        quant = replace(old.q, scales=tuple(float(s) for s in layer.scales))
        tensors[old.name] = replace(old, quant=quant, data=layer.integers)
        if bias:
            tensors[bias[0].name] = _bias(bias[0], layer, x)
    candidate = replace(graph, tensors=tensors)
    errors = [_error(g, block, known, wanted, weights) for g in (graph, candidate)]
    return candidate if errors[1] < errors[0] else graph


def _bias(bias: Tensor, layer: Learnt, x: Tensor) -> Tensor:
    scales = (x.q.scale * layer.scales).astype(np.float32).astype(np.float64)
    q = np.clip(np.rint(layer.bias / scales), -bias_limit(bias.dtype), bias_limit(bias.dtype)).astype(bias.dtype.numpy)
    return replace(bias, quant=replace(bias.q, scales=tuple(float(s) for s in scales)), data=q)


def _error(graph: Graph, block: Block, known: Mapping[str, Array], wanted: Array, weights: Array) -> float:
    found = _advanced(graph, known, block.result)[block.result]
    return float((weights * (real_values(graph.tensors[block.result], found) - wanted) ** 2).sum())
