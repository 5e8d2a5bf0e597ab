"""The advisor: which recipe of compression loses least within the budgets of a board.

Staged, because training is what takes time. First recipes that need none are measured on the emulated core: each change
alone, then what the programme of midge.tune.programme foresees. A network costs the same before and after training,
so only recipes that were seen to keep to the budgets are trained, and only where no untrained one does, all told; those
that suffered least come first. Split 0 of the data is never looked at. Trials are kept as midge.tune.study does.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import msgspec

from midge.compress.apply import compress
from midge.compress.steps import Distil
from midge.errors import MidgeError
from midge.exporters import export_tflite
from midge.ir.graph import Graph
from midge.progress import Progress, silent
from midge.quantize.model import quantize_model
from midge.tune.compress_recipes import NONE, OPTIONS, TRAIN, UNTRAINED, settings_of_recipe
from midge.tune.proposals import Budgets, Key, key, next_recipe, single_changes
from midge.tune.recipe import Bench, Measured, run_once
from midge.tune.search import Found, study_name
from midge.tune.study import Study

# Untrained recipes beyond each change alone, unless the user says how many.
MORE_TRIALS = 12
TRAININGS = 4


@dataclass(frozen=True)
class Advice:
    """What to try: so many recipes untrained, so many of them `trainings`, each with `training` as its last step.

    `always`: also where a recipe without training keeps to the budgets. `folder`: for the networks and checkpoints.
    """

    budgets: Budgets
    folder: Path
    storage: str
    training: Distil
    trials: int = 1 + len(single_changes(UNTRAINED)) + MORE_TRIALS
    trainings: int = TRAININGS
    always: bool = False


def can_train() -> bool:
    """Whether PyTorch is installed."""
    return find_spec("torch") is not None


def network_file(folder: Path, recipe: Mapping[str, str]) -> Path:
    """Where the network of a recipe is kept, a .tflite."""
    return folder / "networks" / f"{_digest(recipe)}.tflite"


def advise(bench: Bench, advice: Advice, progress: Progress = silent) -> tuple[Found, ...]:
    """All recipes that were measured, in this run and earlier ones of the same question.

    Raises MidgeError when nothing could be measured, MissingExtraError without Optuna.
    """
    study = Study(advice.storage, f"compress-{study_name(bench)}", bench.settings.seed, advice.budgets)
    for _ in progress(range(advice.trials), "without training"):
        if not _try_untrained(study, bench, advice):
            break
    chosen = to_train(study.trials().done, advice) if can_train() else ()
    for number in progress(range(len(chosen)), "with training"):
        if key(chosen[number]) not in study.trials().taken:
            _run(study, bench, advice, chosen[number])
    known = study.trials()
    if not known.done:
        reasons = "; ".join(dict.fromkeys(known.refused.values())) or "no trial came to an end"
        raise MidgeError(f"no recipe could be measured: {reasons}", hint="midge run MODEL --emulate shows more")
    return tuple(Found(dict(recipe), found) for recipe, found in known.done.items())


def to_train(done: Mapping[Key, Measured], advice: Advice) -> tuple[dict[str, str], ...]:
    """The recipes worth training: those that were measured to cost no more than the budgets allow, the least harmed
    first; none where an untrained one keeps to all budgets, unless all the same is asked for."""
    untrained = {recipe: found for recipe, found in done.items() if dict(recipe)[TRAIN] == NONE}
    if not advice.always and any(advice.budgets.hold(found) for found in untrained.values()):
        return ()
    loose = replace(advice.budgets, drop=float("inf"))
    fitting = [(found, dict(recipe)) for recipe, found in untrained.items() if loose.hold(found)]
    ordered = sorted(fitting, key=lambda pair: (pair[0].drop, pair[0].error, sorted(pair[1].items())))
    return tuple({**recipe, TRAIN: OPTIONS[TRAIN][1]} for _, recipe in ordered[: advice.trainings])


def _try_untrained(study: Study, bench: Bench, advice: Advice) -> bool:
    """Measures one more; whether there was one."""
    known = study.trials()
    done = {recipe - {(TRAIN, NONE)}: found for recipe, found in known.done.items() if (TRAIN, NONE) in recipe}
    taken = {recipe - {(TRAIN, NONE)} for recipe in known.taken if (TRAIN, NONE) in recipe}
    recipe = next_recipe(UNTRAINED, done, taken, advice.budgets) if len(taken) < advice.trials else None
    if recipe is None:
        return False
    _run(study, bench, advice, {**recipe, TRAIN: NONE})
    return True


def _run(study: Study, bench: Bench, advice: Advice, recipe: Mapping[str, str]) -> None:
    study.run(OPTIONS, recipe, lambda chosen: _measure(bench, advice, chosen))


def _measure(bench: Bench, advice: Advice, recipe: Mapping[str, str]) -> Measured:
    """Compress, quantize, keep the network, score it, and run it on the core."""
    file = network_file(advice.folder, recipe)
    file.parent.mkdir(parents=True, exist_ok=True)
    # Training that was killed goes on within the recipe, too.
    going_on = msgspec.structs.replace(advice.training, checkpoint=str(file.with_suffix(".checkpoint")))
    settings = settings_of_recipe(bench.settings, recipe, going_on)
    made = _integers(bench, compress(bench.canonical, settings.compress, bench.yardstick.data, settings), recipe)
    found = run_once(bench, made, replace(settings, compress=()))
    file.write_bytes(export_tflite(made))
    Path(str(going_on.checkpoint)).unlink(missing_ok=True)
    return found


def _integers(bench: Bench, graph: Graph, recipe: Mapping[str, str]) -> Graph:
    settings = replace(bench.settings, weights=recipe["weights"])  # type: ignore[arg-type]
    with warnings.catch_warnings():
        # The samples were looked at once; not at each of the recipes.
        warnings.simplefilter("ignore")
        return quantize_model(graph, settings, bench.yardstick.data)


def _digest(recipe: Mapping[str, str]) -> str:
    return hashlib.sha256(repr(sorted(recipe.items())).encode()).hexdigest()[:12]
