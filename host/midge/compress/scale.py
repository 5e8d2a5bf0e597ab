"""Scaling: a narrower and shallower network of the same build, which starts from what matters most of the large one.

It is a student: to be trained, or taught by the network that it was made from.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import ceil

import numpy as np

from midge.compress.apply import CompressionNote, Material
from midge.compress.channels import find_channels, without
from midge.compress.criteria import magnitude
from midge.compress.filter_costs import LANES
from midge.compress.filters import find_spaces, group_importance
from midge.compress.steps import Scale
from midge.compress.units import Unit, find_units, without_units
from midge.compress.weighted import find_weights, samples_for
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.quantize.quality import real_values

# So many samples tell which unit matters least: each unit takes a run of the network for each.
_MOST_SAMPLES = 32


def apply(graph: Graph, step: Scale, material: Material) -> Graph:
    """`step.depth` of the units, and of every layer `step.width` of the filters, the important ones.

    Filters matter by the squares of all weights that go with them; so many stay that kernels like their number. Units
    matter by what the outputs change without them, over calibration samples; without data they go at even distances.
    Raises SettingsError for data without samples to calibrate on.
    """
    if step.width == 1 and step.depth == 1:
        warnings.warn("nothing to scale: width and depth are 1", CompressionNote, stacklevel=2)
    if step.depth < 1:
        graph = _shallower(graph, step.depth, material)
    return graph if step.width == 1 else _narrower(graph, step.width, material)


def _shallower(graph: Graph, depth: float, material: Material) -> Graph:
    units = find_units(graph)
    count = len(units) - ceil(depth * len(units) - 1e-9)
    if count == 0:
        why = f"depth {depth:g} keeps all {len(units)} units" if units else "it has no unit that can be left out"
        warnings.warn(
            f"{graph.name} stays as deep as it is: {why}",
            CompressionNote,
            stacklevel=3,
        )
        return graph
    return without_units(graph, _least_important(graph, units, count, material))


def _least_important(graph: Graph, units: Sequence[Unit], count: int, material: Material) -> Sequence[Unit]:
    if material.data is None:
        places = (np.arange(count) + 0.5) / count * len(units)
        return [units[int(place)] for place in places]
    samples = samples_for(graph, material, "scaling")
    some = [samples[int(i)] for i in np.linspace(0, len(samples) - 1, min(_MOST_SAMPLES, len(samples)))]
    exact = [interpret(graph, sample) for sample in some]
    left = list(units)
    gone: list[Unit] = []
    for _ in range(count):
        errors = []
        for unit in left:
            smaller = without_units(graph, [*gone, unit])
            pairs = [(e, interpret(smaller, s)) for e, s in zip(exact, some, strict=True)]
            errors.append(sum(_difference(graph, one, other) for one, other in pairs))
        gone.append(left.pop(int(np.argmin(errors))))
    return gone


def _difference(graph: Graph, one: Sequence[Array], other: Sequence[Array]) -> float:
    """Of the outputs: the sum of squares, in real units."""
    pairs = zip(graph.output_tensors, one, other, strict=True)
    return sum(float(((real_values(t, a) - real_values(t, b)) ** 2).sum()) for t, a, b in pairs)


def _narrower(graph: Graph, width: float, material: Material) -> Graph:
    channels = find_channels(graph)
    scores = magnitude.scores(graph, find_weights(graph), material)
    gone = np.zeros(channels.groups + 1, bool)
    importance = group_importance(graph, channels, scores, magnitude.COMPARABLE)
    for space in find_spaces(graph, channels, importance, magnitude.COMPARABLE):
        groups = space.groups
        gone[groups[: len(groups) - _wanted(len(groups), width)]] = True
    if not gone.any():
        warnings.warn(
            f"{graph.name} stays as wide as it is: width {width:g} leaves no filter out", CompressionNote, stacklevel=3
        )
        return graph
    return without(graph, channels, gone)


def _wanted(count: int, width: float) -> int:
    """How many of `count` channels stay: a multiple of what kernels compute at a time, where there are as many."""
    least = max(1, ceil(width * count - 1e-9))
    return min(count, -(-least // LANES) * LANES)
