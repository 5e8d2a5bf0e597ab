"""How much each weight matters: one module per criterion, found by its name.

`scores(graph, weights, material) -> {tensor name: float64 of the weights' shape}`, zero or more, of which those of
weights that go together are added up. `COMPARABLE` says whether scores of different layers are in one currency; those
that are not are taken as shares of what their layer has. `ROUNDS`: at least so many times weights are judged anew.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from midge.compress.steps import Criterion


def criterion_named(name: Criterion) -> ModuleType:
    """The module that judges weights by that criterion."""
    return import_module(f"midge.compress.criteria.{name}")
