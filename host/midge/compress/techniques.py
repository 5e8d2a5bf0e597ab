"""Each technique as a function: a graph in, a smaller one out. Choices are the fields of its record in `steps`.

    graph = midge.prune(midge.import_model(path).graph, data, granularity="1x4", criterion="activation", sparsity=0.75)
    path.write_bytes(midge.export_tflite(graph))

All raise SettingsError for choices that are not allowed, a layer that is not there or data that is missing, and
UnsupportedModelError for a network that the technique cannot work on.
"""

from __future__ import annotations

from typing import Any

from midge.compress.apply import compress
from midge.compress.steps import step_from_table
from midge.data import Dataset
from midge.ir.graph import Graph
from midge.passes import CANONICALIZE, run_passes
from midge.settings import Settings


def prune(graph: Graph, data: Dataset | None = None, settings: Settings | None = None, **choices: Any) -> Graph:
    """Weights become zero, or filters and blocks go: `sparsity`, `granularity`, `criterion`, `layers`, `rounds`,
    `reconstruct`."""
    return _done("prune", graph, data, settings, choices)


def cluster(graph: Graph, data: Dataset | None = None, settings: Settings | None = None, **choices: Any) -> Graph:
    """Few distinct weights in each layer: `values`, `layers`."""
    return _done("cluster", graph, data, settings, choices)


def factor(graph: Graph, data: Dataset | None = None, settings: Settings | None = None, **choices: Any) -> Graph:
    """Layers become products of smaller ones: `form`, `rank`, `energy`, `measured`, `layers`."""
    return _done("factor", graph, data, settings, choices)


def share(graph: Graph, data: Dataset | None = None, settings: Settings | None = None, **choices: Any) -> Graph:
    """Layers of equal shape use one set of weights: `layers`."""
    return _done("share", graph, data, settings, choices)


def scale(graph: Graph, data: Dataset | None = None, settings: Settings | None = None, **choices: Any) -> Graph:
    """Fewer filters and blocks: `width`, `depth`."""
    return _done("scale", graph, data, settings, choices)


def _done(
    technique: str, graph: Graph, data: Dataset | None, settings: Settings | None, choices: dict[str, Any]
) -> Graph:
    step = step_from_table({"technique": technique, **choices})
    return compress(run_passes(graph, CANONICALIZE), [step], data, settings or Settings())
