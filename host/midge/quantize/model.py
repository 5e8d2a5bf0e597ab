"""The stage of the pipeline: settings and data decide whether and how a graph is quantized."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from midge.errors import SettingsError
from midge.ir.graph import Graph
from midge.ir.tensor import Array, DType
from midge.passes.float_weights import float_weights
from midge.progress import Progress, silent
from midge.quantize.adaround import adaround
from midge.quantize.bias_correction import correct_by_inputs, correct_by_outputs
from midge.quantize.calibrate import observe
from midge.quantize.dynamic_graph import dynamic_graph
from midge.quantize.equalize import equalize
from midge.quantize.fuse import fuse_quantization
from midge.quantize.int8_graph import quantize_graph
from midge.quantize.output_ranges import ranges_by_output
from midge.quantize.quality import real_values
from midge.quantize.ranges import Range, chosen_range
from midge.quantize.raw_input import take_raw
from midge.quantize.reconstruct import reconstruct
from midge.quantize.refine import refine
from midge.quantize.repeats import share_among_repeats
from midge.quantize.samples import Samples, require_samples, sample_notes
from midge.settings import Rounding, Settings, Width

if TYPE_CHECKING:
    from midge.data import Dataset


class CalibrationWarning(UserWarning):
    """Calibration went through, but its data gives reason to doubt the ranges."""


class FusionWarning(UserWarning):
    """Integer layers stand for float ones between quantized values: rounding is not the file's."""


def quantize_model(graph: Graph, settings: Settings, data: Dataset | None = None, progress: Progress = silent) -> Graph:
    """The graph in the precision that `settings` ask for; `data` calibrates with the samples of its split 1.

    A dynamic one needs no data. An integer graph passes through untouched; one of float layers between quantized values
    (ONNX's QDQ) has them fused to integer layers, with a FusionWarning, when int8 is asked for. Warns with
    CalibrationWarning where the data looks doubtful. Raises SettingsError for a float graph without data, or an integer
    graph that is to be float; DataError as `calibrate`.
    """
    if not graph.is_float:
        if settings.precision == "float":
            raise SettingsError(
                f"{graph.name} is an integer model: its float weights are gone",
                hint="--precision as-is, or a float model",
            )
        return _fused(graph) if settings.precision == "int8" else graph
    if settings.precision == "as-is":
        return graph
    graph = float_weights(graph)
    if settings.precision == "float":
        return graph
    if settings.precision == "dynamic":
        return quantize_with(graph, settings, ())
    if graph.updates:
        raise SettingsError(
            f"{graph.name} is a float model that remembers ({graph.states[0].name}), which midge does not quantize",
            hint="--precision float, or let the exporter quantize it: midge runs int8 LSTM and SVDF of TensorFlow Lite",
        )
    samples = require_samples(graph, None if data is None else calibration_samples(graph, data, settings))
    for note in sample_notes(samples):
        warnings.warn(note, CalibrationWarning, stacklevel=2)
    return quantize_with(graph, settings, samples, progress)


@dataclass(frozen=True, eq=False)
class Rounded:
    """An integer network whose rounding is as `settings` say, its biases not yet corrected; `source` is the float
    network that it was made from, equalized or not."""

    settings: Settings
    graph: Graph
    source: Graph


def quantize_with(graph: Graph, settings: Settings, samples: Samples, progress: Progress = silent) -> Graph:
    """The float `graph` as integers, by the steps that `settings` name, over float `samples`.

    In order: equalize -> calibrate -> ranges -> integers -> rounding -> biases. Raises DataError as `calibrate`, and
    SettingsError for a layer that is not there.
    """
    return corrected(rounded(graph, settings, samples, progress), settings, samples, progress)


def rounded(
    graph: Graph, settings: Settings, samples: Samples, progress: Progress = silent, known: Sequence[Rounded] = ()
) -> Rounded:
    """As quantize_with, up to the rounding. What is `known` of the same network and samples need not be made again."""
    wanted = replace(settings, bias_correction="none")
    for there in known:
        if there.settings == wanted:
            return there
    if settings.rounding == "nearest":
        return Rounded(wanted, *_static(graph, settings, samples, progress))
    below: Rounding = "adaround" if settings.rounding == "blocks" else "nearest"
    start = rounded(graph, replace(wanted, rounding=below), samples, progress, known)
    widths = partial(width_of, settings)
    if settings.rounding == "blocks":
        made = reconstruct(start.graph, start.source, samples, widths, settings.seed, progress)
    else:
        made = refine(start.graph, start.source, samples, adaround(widths, settings.seed), progress, "rounding weights")
    return Rounded(wanted, made, start.source)


def corrected(start: Rounded, settings: Settings, samples: Samples, progress: Progress = silent) -> Graph:
    """The network with its biases corrected, where `settings` ask for that."""
    if settings.bias_correction == "none":
        return start.graph
    step = correct_by_inputs if settings.bias_correction == "inputs" else correct_by_outputs
    return refine(start.graph, start.source, samples, step, progress, "correcting biases")


def _static(graph: Graph, settings: Settings, samples: Samples, progress: Progress) -> tuple[Graph, Graph]:
    """The integer network by rounding to nearest, and the float one that it was made from."""
    _check_layers(graph, settings)
    if settings.precision == "dynamic":
        return dynamic_graph(graph, partial(width_of, settings), settings.clip_weights), graph
    if settings.equalize:
        graph = equalize(graph, samples, progress)
    seen = observe(graph, samples, progress)
    if settings.ranges == "output":
        ranges = ranges_by_output(graph, seen, samples, progress)
    else:
        ranges = {name: chosen_range(h, settings.ranges, settings.percentile) for name, h in seen.items()}
    ranges = share_among_repeats(graph, ranges)
    activations = DType.S16 if settings.precision == "int16x8" else DType.S8
    widths = partial(width_of, settings)
    wide = [name for name, width in settings.activations.items() if width == "int16"]
    if settings.raw is not None and settings.raw.dtype is DType.U8:
        ranges = {**ranges, graph.inputs[0]: Range(*settings.raw.limits)}
    clip, one = settings.clip_weights, settings.one_multiplier
    made = quantize_graph(graph, ranges, settings.float_io, widths, clip, activations, wide, one)
    return (made if settings.raw is None else take_raw(made, settings.raw)), graph


def width_of(settings: Settings, layer: str) -> Width:
    """How wide the weights of `layer` are."""
    return settings.layers.get(layer, settings.weights)


def _check_layers(graph: Graph, settings: Settings) -> None:
    names = [op.name for op in graph.ops if op.weight_axis]
    for layer in settings.layers:
        if layer not in names:
            raise SettingsError(
                f"layers.{layer}: {graph.name} has no such layer with weights", hint=f"it has {', '.join(names)}"
            )
    every = [op.name for op in graph.ops]
    for layer in settings.activations:
        if layer not in every:
            raise SettingsError(
                f"activations.{layer}: {graph.name} has no such layer", hint=f"it has {', '.join(every)}"
            )


def _fused(graph: Graph) -> Graph:
    fused = fuse_quantization(graph)
    if fused is not graph:
        warnings.warn(
            f"{graph.name}: float layers between quantized values run as int8 with the file's weights and scales, "
            "which may round by one step elsewhere than the file's float definition; --precision as-is keeps that",
            FusionWarning,
            stacklevel=3,
        )
    return fused


def float_samples(graph: Graph, data: Dataset, settings: Settings) -> list[list[Array]]:
    """As calibration_samples, in real values whatever the inputs of `graph` are."""
    raw = calibration_samples(graph, data, settings)
    return [
        [real_values(t, v).astype(np.float32) for t, v in zip(graph.input_tensors, sample, strict=True)]
        for sample in raw
    ]


def calibration_samples(graph: Graph, data: Dataset, settings: Settings) -> list[list[Array]]:
    """At most `settings.calibration_samples` of the calibration samples of `data`, evenly spread over them.

    Raises SettingsError when `data` has none: samples that are evaluated are never calibrated on.
    """
    chosen = data.calibrate
    if len(chosen) == 0:
        raise SettingsError(
            f"{data.path} has no samples to calibrate on, which the float model {graph.name} needs to become int8",
            hint="add an array `split` to the file, 1 for such samples and 0 for those to evaluate: "
            "numpy.savez(file, x=x, y=y, split=numpy.arange(len(x)) % 5 == 0)",
        )
    if len(chosen) > settings.calibration_samples:
        chosen = chosen[np.linspace(0, len(chosen) - 1, settings.calibration_samples).astype(np.intp)]
    columns = [data.inputs_for(tensor, chosen) for tensor in graph.input_tensors]
    return [list(row) for row in zip(*columns, strict=True)]
