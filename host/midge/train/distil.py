"""Knowledge distillation: a student learns what a teacher says of every sample, beside the labels.

Soft targets: Hinton, Vinyals, Dean, arXiv 1503.02531. Intermediate features: Romero et al. (FitNets), arXiv 1412.6550.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from midge.compress.apply import Material
from midge.compress.steps import Distil
from midge.data import Dataset, Indices
from midge.errors import SettingsError
from midge.importers import import_model
from midge.ir.graph import Graph
from midge.ir.tensor import Tensor
from midge.passes import CANONICALIZE, run_passes
from midge.progress import Progress, silent
from midge.settings import Settings
from midge.train.gradual import finished, schedule_of
from midge.train.inherit import inherit
from midge.train.loop import Schedule, train
from midge.train.losses import Batch, Loss, task_loss
from midge.train.module import GraphModule
from midge.train.samples import samples_at, training_places
from midge.train.step import require_data
from midge.train.tune import Trained, answers, path_of, start_module
from midge.train.worth import warn_without_gain


def apply(graph: Graph, step: Distil, material: Material) -> Graph:
    """The step of compression: the teacher is the file that is named, or the network before any step."""
    data = require_data(graph, material)
    teacher = material.original
    if step.teacher is not None:
        teacher = run_passes(import_model(Path(step.teacher)).graph, CANONICALIZE)
    warn_without_gain(graph, step, material)
    schedule = schedule_of(step, material)
    made = distil(graph, teacher, data, step, material.settings, schedule=schedule, progress=material.progress).graph
    return finished(made, step, material)


def distil(
    student: Graph,
    teacher: Graph,
    data: Dataset,
    options: Distil | None = None,
    settings: Settings | None = None,
    loss: Loss | None = None,
    schedule: Schedule | None = None,
    progress: Progress = silent,
) -> Trained:
    """The `student` (float, pruned, or with `options.qat` quantized) taught by any other network.

    `loss`: the user's own instead of that of the labels; the teacher's part comes on top. Where samples have no classes
    the teacher alone teaches. Raises SettingsError for a teacher that answers in another shape, or a layer that is not
    there; else as midge.train.fine_tune.
    """
    options, settings = options or Distil(), settings or Settings()
    _check_answers(student, teacher)
    start = inherit(student, teacher) if options.inherit else student
    module = start_module(start, data, options, settings, progress)
    master = GraphModule(teacher).eval()
    trained, watched = training_places(data, settings.seed)
    pairs = [(_output(student, mine), _output(teacher, theirs)) for mine, theirs in options.features]
    lessons = [_lesson(master, data, places, [theirs for _, theirs in pairs]) for places in (trained, watched)]
    projections = _projections(student, teacher, pairs, settings.seed)
    ours = samples_at(module, data, trained), samples_at(module, data, watched)
    whole = _Lessons(options, lessons[0], lessons[1], [mine for mine, _ in pairs], projections, loss)
    history = train(
        module, *ours, options, settings.seed, whole.loss, schedule, projections, path_of(options), progress
    )
    return Trained(module.to_graph(), history)


@dataclass(frozen=True, eq=False)
class _Lesson:
    """What the teacher says of some samples: logits, and its features."""

    logits: Any
    features: list[Any]


@dataclass(frozen=True, eq=False)
class _Lessons:
    options: Distil
    training: _Lesson
    watched: _Lesson
    names: list[str]
    projections: nn.ModuleList
    own: Loss | None

    def loss(self, batch: Batch) -> Any:
        """The teacher's part, that of the features, and the rest for the labels or the user's own loss."""
        lesson = self.watched if batch.watched else self.training
        whole = self._soft(batch, lesson.logits[batch.places])
        for name, projection, theirs in zip(self.names, self.projections, lesson.features, strict=True):
            wanted = theirs[batch.places]
            mine = projection(batch.values[name])
            whole = whole + F.mse_loss(mine, wanted) / wanted.square().mean().clamp(min=1e-12)
        if batch.targets is None and self.own is None:
            return whole
        weight = self.options.weight
        return weight * whole + (1 - weight) * (self.own or task_loss)(batch)

    def _soft(self, batch: Batch, said: Any) -> Any:
        mine = batch.logits
        if batch.targets is None or mine.shape[1] < 2:
            return F.mse_loss(mine, said) / said.square().mean().clamp(min=1e-12)
        t = self.options.temperature
        soft = torch.log_softmax(mine / t, 1), torch.log_softmax(said / t, 1)
        return F.kl_div(*soft, reduction="batchmean", log_target=True) * t * t


def _lesson(teacher: GraphModule, data: Dataset, places: Indices, names: list[str]) -> _Lesson:
    samples = samples_at(teacher, data, places)
    logits, *features = answers(teacher, samples, (teacher.logits, *names))
    return _Lesson(logits.flatten(1), features)


def _check_answers(student: Graph, teacher: Graph) -> None:
    mine, theirs = student.output_tensors[0].elements, teacher.output_tensors[0].elements
    if mine != theirs:
        raise SettingsError(
            f"the teacher {teacher.name} gives {theirs} values, the student {student.name} {mine}",
            hint="a teacher of the same task, with as many outputs",
        )


def _output(graph: Graph, layer: str) -> str:
    for op in graph.ops:
        if layer in (op.name, *op.outputs):
            return op.outputs[0]
    names = ", ".join(op.name for op in graph.ops)
    raise SettingsError(f"features: {graph.name} has no layer {layer}", hint=f"it has {names}")


def _projections(student: Graph, teacher: Graph, pairs: list[tuple[str, str]], seed: int) -> nn.ModuleList:
    """What makes features of the student as wide as the teacher's; nothing where they are."""
    made = nn.ModuleList()
    for mine, theirs in ((student.tensors[a], teacher.tensors[b]) for a, b in pairs):
        if mine.shape == theirs.shape:
            made.append(nn.Identity())
            continue
        _check_places(mine, theirs)
        linear = nn.Linear(mine.shape[-1], theirs.shape[-1], bias=False)
        drawn = np.random.default_rng(seed).standard_normal((theirs.shape[-1], mine.shape[-1])) / mine.shape[-1] ** 0.5
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(drawn, dtype=torch.float32))
        made.append(linear)
    return made


def _check_places(mine: Tensor, theirs: Tensor) -> None:
    if mine.shape[:-1] != theirs.shape[:-1] or not mine.shape:
        raise SettingsError(
            f"features: {mine.name} is {list(mine.shape)}, the teacher's {theirs.name} {list(theirs.shape)}",
            hint="pair layers of the same height and width; channels may differ",
        )
