"""Pruning: weights become zero, in the patterns that kernels can skip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from midge.compress.apply import Material
from midge.compress.blocks import without_blocks
from midge.compress.channels import without
from midge.compress.criteria import criterion_named
from midge.compress.filters import Choice, choose_filters
from midge.compress.least_squares import fit_remaining
from midge.compress.patterns import few_inputs, fitting, kept_evenly, kept_of_all, kept_of_each, ratio_sparsity
from midge.compress.steps import Prune
from midge.compress.weighted import Weights, find_weights, masked, samples_for
from midge.errors import SettingsError
from midge.ir.graph import Graph
from midge.ir.tensor import Array


def apply(graph: Graph, step: Prune, material: Material) -> Graph:
    """The graph with `step.sparsity` of its weights gone.

    Raises SettingsError for a layer that is not there or has no such groups, a sparsity that cannot be reached, and
    where data is missing that the criterion needs.
    """
    check(step)
    if step.granularity == "blocks":
        return without_blocks(graph, step, material)
    rounds = max(step.rounds, criterion_named(step.criterion).ROUNDS)
    made, filters = graph, None
    for number in range(1, rounds + 1):
        part = msgspec.structs.replace(step, sparsity=cubic(step.sparsity, number / rounds))
        filters = _filters(made, part, material) if step.granularity == "filters" else None
        kept = masks(made, part, material) if filters is None else filters.kept
        made = masked(made, kept)
        if step.reconstruct or step.criterion == "reconstruction":
            samples = samples_for(graph, material, "fitting what remains")
            made = fit_remaining(made, graph, kept, samples, material.settings.seed, material.progress)
    return made if filters is None else without(made, filters.channels, filters.gone)


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
    if step.granularity == "blocks":
        raise SettingsError("blocks go at once, not little by little", hint="prune blocks first, then train")
    if step.granularity == "filters":
        return _filters(graph, step, material).kept
    scores = _scores(graph, fitting(find_weights(graph, step.layers), step), step, material)
    if ratio_sparsity(step.granularity) is not None:
        return {name: kept_of_each(found, step.granularity, step.sparsity) for name, found in scores.items()}
    comparable = criterion_named(step.criterion).COMPARABLE
    if step.even:
        return kept_evenly(scores, few_inputs(graph, scores), step.granularity, step.sparsity, comparable)
    return kept_of_all(scores, step.granularity, step.sparsity, comparable)


def _filters(graph: Graph, step: Prune, material: Material) -> Choice:
    find_weights(graph, step.layers)
    scores = _scores(graph, find_weights(graph), step, material)
    return choose_filters(graph, scores, step, criterion_named(step.criterion).COMPARABLE, material.settings)


def _scores(graph: Graph, weights: Sequence[Weights], step: Prune, material: Material) -> Mapping[str, Array]:
    """What the criterion says, more than nothing for all that are not zero."""
    least = np.finfo(np.float64).tiny
    return {
        name: np.where(np.asarray(graph.tensors[name].data) == 0, 0.0, np.maximum(found, least))
        for name, found in criterion_named(step.criterion).scores(graph, weights, material).items()
    }


def check(step: Prune) -> None:
    """Raises SettingsError for N:M beside another sparsity than its own, and for what cannot be even."""
    if step.even and step.granularity in ("filters", "blocks"):
        raise SettingsError(f"{step.granularity} do not go evenly", hint="leave even out, or name layers")
    wanted = ratio_sparsity(step.granularity)
    if wanted is not None and not np.isclose(step.sparsity, wanted):
        raise SettingsError(
            f"{step.granularity} is a sparsity of {wanted:g}, not {step.sparsity:g}", hint=f"sparsity {wanted:g}"
        )
