"""Pruning: weights become zero, in the patterns that kernels can skip."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

import msgspec
import numpy as np

from midge.compress.apply import Material
from midge.compress.patterns import RATIOS, fitting, kept_of_all, kept_of_each, ratio_sparsity
from midge.compress.steps import Prune
from midge.compress.weighted import find_weights, masked
from midge.errors import SettingsError
from midge.ir.graph import Graph
from midge.ir.tensor import Array


def apply(graph: Graph, step: Prune, material: Material) -> Graph:
    """The graph with `step.sparsity` of its weights gone.

    Raises SettingsError for a layer that is not there or has no such groups, a sparsity that cannot be reached, and
    where data is missing that the criterion needs.
    """
    _check(step)
    rounds = max(step.rounds, criterion(step).ROUNDS)
    made = graph
    for number in range(1, rounds + 1):
        part = msgspec.structs.replace(step, sparsity=cubic(step.sparsity, number / rounds))
        made = masked(made, masks(made, part, material))
    return made


def cubic(sparsity: float, fraction: float) -> float:
    """How much is gone when `fraction` of the way is done, from 0 to 1: much at first, ever less towards the end.

    Source: Zhu and Gupta, arXiv 1710.01878, equation 1.
    """
    return sparsity * (1 - (1 - min(max(fraction, 0.0), 1.0)) ** 3)


def masks(graph: Graph, step: Prune, material: Material) -> Mapping[str, Array]:
    """Which weights stay when so many go that `step.sparsity` is reached: bool by the names of constants.

    Weights that are zero already are the first to go. What is asked of a layer before it is whole, as while training,
    is a lower sparsity.
    """
    weights = fitting(find_weights(graph, step.layers), step)
    judge = criterion(step)
    scores = {
        name: np.where(np.asarray(graph.tensors[name].data) == 0, 0.0, np.maximum(found, np.finfo(np.float64).tiny))
        for name, found in judge.scores(graph, weights, material).items()
    }
    if step.granularity in RATIOS:
        return {name: kept_of_each(found, step.granularity, step.sparsity) for name, found in scores.items()}
    return kept_of_all(scores, step.granularity, step.sparsity, judge.COMPARABLE)


def criterion(step: Prune) -> ModuleType:
    """The module that judges weights, see midge.compress.criteria."""
    return import_module(f"midge.compress.criteria.{step.criterion}")


def _check(step: Prune) -> None:
    wanted = ratio_sparsity(step.granularity)
    if wanted is not None and not np.isclose(step.sparsity, wanted):
        raise SettingsError(
            f"{step.granularity} is a sparsity of {wanted:g}, not {step.sparsity:g}", hint=f"sparsity {wanted:g}"
        )
