"""Widths by layer, so that a network's constants take half of what they take in int8.

How much each layer suffers by itself is measured on calibration samples; the exact programme of midge.tune.programme
then finds the least sum within the bytes that are left, and exchanges between layers lower what they suffer together.
That is done with scales as they come and with one multiplier for a layer's channels; what suffers less is taken.
Unlike `midge search` this looks at constants alone, and runs no firmware.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import combinations
from math import inf

import numpy as np

from midge.cli.talk import show_progress
from midge.data import Dataset
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.measure.accuracy import real_values
from midge.numerics.fixed_point import quantize_array
from midge.quantize.model import calibration_samples, quantize_with
from midge.quantize.widths import BITS
from midge.settings import Settings, Width
from midge.tune.programme import Choice, best_sets

WIDTHS: tuple[Width, ...] = ("int8", "int4", "int2")
# So many samples tell how much a layer suffers.
_SAMPLES = 32
# The part of the budget by which it is lowered when a compiled network is too large after all.
_LESS = 0.98
_ATTEMPTS = 20


def half_the_constants(
    graph: Graph, data: Dataset, settings: Settings, constant_bytes: Callable[[Graph], int]
) -> Settings:
    """`settings` with what makes the compiled network's constants half of int8's.

    `constant_bytes` compiles an integer network. Where 2 bits throughout are still too much, they are what comes back.
    """
    plain = replace(settings, equalize=True, calibration_samples=_SAMPLES)
    samples = calibration_samples(graph, data, plain)
    limit = constant_bytes(quantize_with(graph, samples=samples, settings=plain)) // 2
    found = []
    for one in (False, True):
        error, widths = _widths(graph, replace(plain, one_multiplier=one), samples, constant_bytes, limit)
        found.append((error, replace(settings, layers=widths, one_multiplier=one)))
    return min(found, key=lambda pair: pair[0])[1]


def _widths(
    graph: Graph,
    plain: Settings,
    samples: list[list[Array]],
    constant_bytes: Callable[[Graph], int],
    limit: int,
) -> tuple[float, Mapping[str, Width]]:
    """Widths of the layers at which constants take `limit` bytes at most, and how much the network suffers."""
    make = partial(quantize_with, graph, samples=samples)
    exact = [interpret(graph, sample)[0] for sample in samples]
    int8 = make(settings=plain)
    layers = [op.name for op in int8.ops if op.weight_axis]
    sizes = {op.name: int8.tensors[op.inputs[1]].elements for op in int8.ops if op.weight_axis}
    trials = [(layer, width) for layer in layers for width in WIDTHS[1:]]
    found = {(layer, "int8"): 0.0 for layer in layers}
    for index in show_progress(range(len(trials)), "how much layers suffer"):
        layer, width = trials[index]
        narrow = make(settings=replace(plain, layers={layer: width}))
        found[layer, width] = _error(narrow, samples, exact)
    # What is not weights takes less where weights are packed: biases of 16 bits.
    packed = constant_bytes(make(settings=replace(plain, layers=dict.fromkeys(layers, "int4"))))
    budget = limit - (packed - sum(sizes.values()) / 2)
    choices = [[Choice(found[n, w], (sizes[n] * BITS[w] / 8,)) for w in WIDTHS] for n in layers]
    for _ in range(_ATTEMPTS):
        sets = best_sets(choices, (budget,))
        if not sets:
            break
        widths = {n: WIDTHS[pick] for n, pick in zip(layers, sets[0].picks, strict=True)}
        widths = _exchanged(
            widths, sizes, budget, lambda w: _error(make(settings=replace(plain, layers=w)), samples, exact)
        )
        made = make(settings=replace(plain, layers=widths))
        if constant_bytes(made) <= limit:
            return _error(made, samples, exact), widths
        budget *= _LESS
    return inf, dict.fromkeys(layers, WIDTHS[-1])


def _exchanged(
    widths: dict[str, Width], sizes: Mapping[str, int], budget: float, error: Callable[[dict[str, Width]], float]
) -> dict[str, Width]:
    """The widths after every exchange between two layers that lowers the error of all together, the best one first:
    errors of single layers do not add up where they are large."""
    least, known = error(widths), {frozenset(widths.items())}
    while True:
        found: list[tuple[float, dict[str, Width]]] = []
        for a, b in combinations(widths, 2):
            tried = {**widths, a: widths[b], b: widths[a]}
            spent = sum(sizes[n] * BITS[w] / 8 for n, w in tried.items())
            if spent <= budget and frozenset(tried.items()) not in known:
                known.add(frozenset(tried.items()))
                found.append((error(tried), tried))
        best = min(found, key=lambda pair: pair[0], default=(least, widths))
        if best[0] >= least:
            return widths
        least, widths = best


def _error(graph: Graph, samples: list[list[Array]], exact: list[Array]) -> float:
    source, output = graph.input_tensors[0], graph.output_tensors[0]
    total = 0.0
    for (x,), wanted in zip(samples, exact, strict=True):
        found = interpret(graph, [quantize_array(x, source.q, source.dtype)])[0]
        total += float(np.mean((real_values(output, found) - wanted) ** 2))
    return total / len(samples)
