"""What the advisor chooses from: a recipe of compression is one value for each part, `{"prune": "filters 50 %", ...}`.

From a recipe come the steps, as midge.toml has them, and the width of the weights. With `train` the network is taught
by what it was before the first step, in the form in which it is deployed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from midge.compress.steps import AnyStep, Cluster, Distil, Factor, Prune, Scale
from midge.settings import Settings

NONE = "none"
TRAIN = "train"
_PRUNE: Mapping[str, AnyStep | None] = {
    NONE: None,
    "1x4 50 %": Prune(granularity="1x4", sparsity=0.5),
    "1x4 75 %": Prune(granularity="1x4", sparsity=0.75),
    "filters 30 %": Prune(granularity="filters", sparsity=0.3),
    "filters 50 %": Prune(granularity="filters", sparsity=0.5),
    "filters 70 %": Prune(granularity="filters", sparsity=0.7),
}
_CLUSTER: Mapping[str, AnyStep | None] = {NONE: None, "64": Cluster(values=64), "16": Cluster(values=16)}
_RANK: Mapping[str, AnyStep | None] = {NONE: None, "90 %": Factor(energy=0.9), "75 %": Factor(energy=0.75)}
_WIDTH: Mapping[str, AnyStep | None] = {NONE: None, "3/4": Scale(width=0.75), "1/2": Scale(width=0.5)}
# In the order in which they are done: what changes shapes first.
_STEPS = {"width": _WIDTH, "prune": _PRUNE, "rank": _RANK, "cluster": _CLUSTER}
_WEIGHTS = ("int8", "int4")

OPTIONS: Mapping[str, tuple[str, ...]] = {
    **{part: tuple(values) for part, values in _STEPS.items()},
    "weights": _WEIGHTS,
    TRAIN: (NONE, "distil"),
}
# What is measured before anything is trained.
UNTRAINED = {part: values for part, values in OPTIONS.items() if part != TRAIN}


def steps_of_recipe(recipe: Mapping[str, str], training: Distil) -> tuple[AnyStep, ...]:
    """The steps of a recipe; `training` is the last of one that trains, in the width that is deployed."""
    chosen = [values[recipe[part]] for part, values in _STEPS.items()]
    steps = tuple(step for step in chosen if step is not None)
    return steps if recipe[TRAIN] == NONE else (*steps, _in_width(training, recipe["weights"]))


def settings_of_recipe(base: Settings, recipe: Mapping[str, str], training: Distil) -> Settings:
    """`base` with the steps of a recipe behind its own, and with its width of weights."""
    weights: Any = recipe["weights"]
    return replace(base, weights=weights, compress=(*base.compress, *steps_of_recipe(recipe, training)))


def in_words(recipe: Mapping[str, str]) -> str:
    """What a recipe does, in a few words."""
    parts = [f"{part} {value}" for part, value in recipe.items() if value != NONE and part not in ("weights", TRAIN)]
    return ", ".join([*parts, recipe["weights"], *(["trained"] if recipe[TRAIN] != NONE else [])])


def _in_width(training: Distil, width: Any) -> Distil:
    return msgspec.structs.replace(training, qat=width)
