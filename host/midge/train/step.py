"""Training as a step of compression."""

from __future__ import annotations

from midge.compress.apply import Material
from midge.compress.steps import Train
from midge.data import Dataset
from midge.errors import SettingsError
from midge.ir.graph import Graph
from midge.train.require import require_torch


def apply(graph: Graph, step: Train, material: Material) -> Graph:
    """The network trained further, as midge.train.tune.fine_tune."""
    require_torch()
    from midge.train.gradual import finished, schedule_of
    from midge.train.tune import fine_tune
    from midge.train.worth import warn_without_gain

    data = require_data(graph, material)
    warn_without_gain(graph, step, material)
    schedule = schedule_of(step, material)
    made = fine_tune(graph, data, step, material.settings, schedule=schedule, progress=material.progress).graph
    return finished(made, step, material)


def require_data(graph: Graph, material: Material) -> Dataset:
    """Raises SettingsError without data."""
    if material.data is None:
        raise SettingsError(f"training {graph.name} needs data", hint="--data FILE.npz with x, y and split")
    return material.data
