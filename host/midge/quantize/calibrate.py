"""Calibration: the float network runs over samples, and the values of each tensor are counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from midge.errors import DataError
from midge.interpreter import interpret_all
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.progress import Progress, silent
from midge.quantize.histogram import Histogram, histogram, merged
from midge.quantize.ranges import Method, Range, chosen_range
from midge.quantize.samples import Samples, require_finite, require_samples, sample_notes

DEFAULT_PERCENTILE = 99.99


@dataclass(frozen=True)
class Calibration:
    """The range of each activation by name, over how many samples, and sentences for the user about the data."""

    ranges: Mapping[str, Range]
    samples: int
    notes: tuple[str, ...]


def calibrate(
    graph: Graph,
    samples: Samples | None,
    method: Method = "minmax",
    percentile: float = DEFAULT_PERCENTILE,
    progress: Progress = silent,
) -> Calibration:
    """Ranges for the activations of a float `graph`.

    `samples[i]` holds one float32 array per input of the graph, of that input's shape. Raises SettingsError without
    samples, and DataError naming the sample, and the layer, where NaN or infinity comes up.
    """
    given = require_samples(graph, samples)
    seen = observe(graph, given, progress)
    ranges = {name: chosen_range(h, method, percentile) for name, h in seen.items()}
    return Calibration(ranges, len(given), sample_notes(given))


def observe(graph: Graph, samples: Samples, progress: Progress = silent) -> Mapping[str, Histogram]:
    """The values of each activation of `graph` over all `samples`, by tensor name."""
    seen: dict[str, Histogram] = {}
    names = _activations(graph)
    for index in progress(range(len(samples)), "calibrating"):
        sample = samples[index]
        require_finite(sample, index)
        with np.errstate(all="ignore"):
            values = interpret_all(graph, sample)
        for name in names:
            counted = histogram(_finite(graph, name, values[name], index))
            seen[name] = merged(seen[name], counted) if name in seen else counted
    return seen


def _activations(graph: Graph) -> tuple[str, ...]:
    return (*graph.inputs, *(name for op in graph.ops for name in op.outputs))


def _finite(graph: Graph, name: str, value: Array, index: int) -> Array:
    if np.isfinite(value).all():
        return value
    op = graph.producer(name)
    layer = f"layer {op.name} ({op.kind})" if op is not None else f"input {name}"
    raise DataError(
        f"{layer} gives NaN or infinity for calibration sample {index}: such values have no int8 range",
        hint="check that the data is scaled as in training, and the weights for NaN",
    )
