"""The stage of the pipeline: the steps that settings name, one after the other."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midge.compress.steps import AnyStep
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.ir.verify import verify
from midge.progress import Progress, silent
from midge.settings import Settings

if TYPE_CHECKING:
    from midge.data import Dataset


class CompressionNote(UserWarning):
    """A step left something as it was: told in a line, and no error."""


@dataclass(frozen=True, eq=False)
class Material:
    """What a step may draw on: the network before any step, data whose split 0 no step looks at, and settings.

    `snapshots`: the real weights by name as they were at some times of a training, where there is one.
    """

    original: Graph
    data: Dataset | None
    settings: Settings
    progress: Progress = silent
    snapshots: Sequence[Mapping[str, Array]] = ()


def compress(
    graph: Graph, steps: Sequence[AnyStep], data: Dataset | None, settings: Settings, progress: Progress = silent
) -> Graph:
    """The graph after all `steps`; the very same when there are none.

    Raises MidgeError: SettingsError for a layer that is not there or data that is missing, UnsupportedModelError for
    a network that a step cannot work on.
    """
    material = Material(graph, data, settings, progress)
    for step in steps:
        graph = verify(importlib.import_module(step.module).apply(graph, step, material))
    return graph
