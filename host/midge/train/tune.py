"""From a graph and data to a trained graph: which module is trained, from which start, with which loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from midge.compress.steps import Train
from midge.data import Dataset
from midge.errors import SettingsError
from midge.ir.graph import Graph
from midge.passes.float_weights import float_weights
from midge.progress import Progress, silent
from midge.quantize.model import calibration_samples, rounded, width_of
from midge.settings import Settings
from midge.train.constants import Keep
from midge.train.dequantized import dequantized
from midge.train.loop import History, Schedule, train
from midge.train.losses import Loss, task_loss
from midge.train.module import GraphModule
from midge.train.samples import Samples, training_samples


@dataclass(frozen=True, eq=False)
class Trained:
    """The trained network, and what each epoch brought."""

    graph: Graph
    history: History


def start_module(graph: Graph, data: Dataset, options: Train, settings: Settings, progress: Progress) -> GraphModule:
    """The module that `options` train: float, or in quantized form, from what post-training quantization finds.

    `settings` say the widths of single layers, the ranges and the rounding to start from. An integer network stays one,
    and keeps its integers unless they shall be narrower.
    """
    keep = Keep(options.keep_structure, options.keep_structure)
    if options.qat is None or (not graph.is_float and options.qat == "int8"):
        return GraphModule(graph, keep=keep)
    precision = settings.precision if settings.precision == "int16x8" else "int8"
    wanted = replace(settings, weights=options.qat, precision=precision, bias_correction="none")
    network = float_weights(dequantized(graph))
    start = rounded(network, wanted, calibration_samples(network, data, wanted), progress)
    return GraphModule(start.graph, start.source, partial(width_of, wanted), keep=keep)


def fine_tune(
    graph: Graph,
    data: Dataset,
    options: Train | None = None,
    settings: Settings | None = None,
    loss: Loss | None = None,
    schedule: Schedule | None = None,
    progress: Progress = silent,
) -> Trained:
    """The network trained further on split 1 of `data`, watched on split 2; split 0 is never looked at.

    With `options.qat` a float network comes back as integers. `loss`: the user's own; without, cross entropy with the
    labels of the data, and where it has none, being near to what the network said before. `schedule`: masks while
    training, see midge.train.loop. Raises SettingsError, DataError, UnsupportedModelError.
    """
    options, settings = options or Train(), settings or Settings()
    module = start_module(graph, data, options, settings, progress)
    training, watched = training_samples(module, data, settings.seed)
    if loss is None and training.targets is None:
        if options.qat is None and graph.is_float:
            raise SettingsError(
                f"{data.path} has no labels to train a float network with",
                hint="add an array `y` with a class per sample, pass a loss of your own, or train with qat",
            )
        training, watched = (with_answers(graph, some) for some in (training, watched))
    history = train(
        module, training, watched, options, settings.seed, loss or task_loss, schedule, None, path_of(options), progress
    )
    return Trained(module.to_graph(), history)


def path_of(options: Train) -> Path | None:
    """Where the checkpoint is."""
    return None if options.checkpoint is None else Path(options.checkpoint)


def with_answers(original: Graph, samples: Samples) -> Samples:
    """The samples with what `original` says of them as their targets."""
    teacher = GraphModule(original).eval()
    return Samples(samples.inputs, answers(teacher, samples, (original.outputs[0],))[0])


def answers(teacher: GraphModule, samples: Samples, names: tuple[str, ...]) -> list[Any]:
    """What `teacher` computes in the tensors `names` for all samples."""
    teacher.eval()
    found: list[list[Any]] = []
    with torch.no_grad():
        for places in torch.arange(len(samples)).split(256):
            values = teacher.run(*samples.at(places).inputs)
            found.append([values[name] for name in names])
    return [torch.cat(column) for column in zip(*found, strict=True)]
