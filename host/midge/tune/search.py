"""The search for widths: which layer gets how many bits, under what the board measures.

Why a programme and Optuna both: errors, flash and cycles of layers nearly add up, so that one trial for each layer and
width tells an exact integer programme the whole front at once (Optuna's samplers would take hundreds of trials to see
as much); what does not add up is measured, trial by trial, and Optuna's sampler looks around where the programme has
nothing left to say. Optuna also keeps the trials, so that a search goes on after a kill and on several machines.

Workers are processes: each takes the next recipe, quantizes, scores on split 2 (or 1) of the data, compiles, and runs
the firmware on the emulated core. Nothing is decided by split 0.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Literal, get_args

from midge import __version__
from midge.build.toolchain import find_toolchain
from midge.data import load_data
from midge.errors import InternalError, MidgeError
from midge.importers import import_model
from midge.ir.tensor import Shape
from midge.passes import CANONICALIZE, run_passes
from midge.progress import Progress, silent
from midge.settings import Settings, settings_to_toml
from midge.tune.memory import kernels_version
from midge.tune.proposals import Budgets, next_recipe, single_changes
from midge.tune.recipe import Bench, Measured, choices, measure, set_up
from midge.tune.study import Study

Preference = Literal["accuracy", "flash", "latency"]
# What counts as lost: the mean squared error of the outputs, or points of accuracy.
Loss = Literal["error", "drop"]
PREFERENCES: tuple[str, ...] = get_args(Preference)
# Beyond one trial for each single change, unless the user says how many.
MORE_TRIALS = 24
_WASTED_TRIALS = 50
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Job:
    """All that a worker needs to know; `trials` are in all, of all workers that ever joined."""

    model: Path
    shapes: Mapping[str, Shape]
    data: Path
    settings: Settings
    storage: str
    study: str
    budgets: Budgets
    trials: int
    seed: int = 0


@dataclass(frozen=True)
class Found:
    """A recipe and what was measured of it."""

    recipe: Mapping[str, str]
    measured: Measured


def bench_of(job: Job, progress: Progress = silent) -> Bench:
    """The bench that the job's trials are measured on. Raises MidgeError as `set_up`."""
    imported = import_model(job.model, job.shapes)
    data = load_data(job.data, run_passes(imported.graph, CANONICALIZE))
    return set_up(imported, data, job.settings, progress)


def study_name(bench: Bench) -> str:
    """The same for whoever searches the same: model, data, settings, compiler and kernels."""
    core = bench.board.core
    toolchain = find_toolchain(core)
    facts = (bench.imported.sha256, bench.yardstick.data.sha256, settings_to_toml(bench.settings), bench.board.name)
    made_by = (core.name, toolchain.version, toolchain.flags, kernels_version(), __version__)
    digest = hashlib.sha256(repr((facts, made_by)).encode()).hexdigest()[:12]
    return f"{bench.canonical.name}-{bench.board.name}-{digest}"


def enough_trials(bench: Bench) -> int:
    """One for the plain recipe, one for each single change, and some that the programme proposes."""
    options = choices(bench.layers)
    return min(1 + len(single_changes(options)) + MORE_TRIALS, prod(len(v) for v in options.values()))


def work(job: Job, bench: Bench | None = None, go_on: Callable[[], bool] = lambda: True) -> None:
    """Run trials until there are as many as the job asks for, there are no more recipes, or `go_on` says no."""
    bench = bench or bench_of(job)
    study = Study(job.storage, job.study, job.seed, job.budgets)
    options = choices(bench.layers)
    goal = min(job.trials, prod(len(values) for values in options.values()))
    known, wasted = study.trials(), 0
    while known.finished < goal and wasted < _WASTED_TRIALS and go_on():
        study.run(options, next_recipe(options, known.done, known.taken, job.budgets), partial(measure, bench))
        before, known = known.finished, study.trials()
        wasted = 0 if known.finished > before else wasted + 1


def search(job: Job, bench: Bench, jobs: int, progress: Progress = silent) -> tuple[Found, ...]:
    """All that the study knows once it has the job's trials, `jobs` of them measured at a time on this computer.

    Raises MidgeError when nothing could be measured at all.
    """
    study = Study(job.storage, job.study, job.seed, job.budgets)
    if study.trials().finished < job.trials:
        if jobs == 1:
            for _ in progress(range(1), "searching"):
                work(job, bench)
        else:
            _in_processes(job, study, jobs, progress)
    known = study.trials()
    if not known.done:
        reasons = "; ".join(dict.fromkeys(known.refused.values())) or "no worker came to an end"
        raise MidgeError(f"no recipe could be measured: {reasons}", hint="midge run MODEL --emulate shows more")
    return tuple(Found(dict(recipe), found) for recipe, found in known.done.items())


def _in_processes(job: Job, study: Study, jobs: int, progress: Progress) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_worker, args=(job, number), daemon=True) for number in range(jobs)]
    for worker in workers:
        worker.start()
    try:
        shown = 0
        for number in progress(range(job.trials), "searching"):
            while shown <= number and any(worker.is_alive() for worker in workers):
                shown = study.trials().finished
                time.sleep(0 if shown > number else _LOOK_SECONDS)
        for worker in workers:
            worker.join()
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()
    died = any(worker.exitcode not in (0, -signal.SIGTERM) for worker in workers)
    if died and study.trials().finished < job.trials:
        raise InternalError("a worker of the search has died", hint="the same command goes on; --jobs 1 shows more")


def _worker(job: Job, number: int) -> None:
    """A process of the search: ends quietly when it is told to, or when the one that started it has died."""
    parent = multiprocessing.parent_process()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    own = replace(job, seed=job.seed + number)
    try:
        work(own, go_on=lambda: parent is None or parent.is_alive())
    except KeyboardInterrupt:
        return


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def front(found: tuple[Found, ...], loss: Loss = "error") -> tuple[Found, ...]:
    """Those that no other equals or beats in loss, flash, RAM and cycles; the most accurate first."""
    values = partial(_values, loss)
    ordered = sorted(found, key=lambda f: (values(f), sorted(f.recipe.items())))
    kept: list[Found] = []
    for one in ordered:
        if not any(all(a <= b for a, b in zip(values(k), values(one), strict=True)) for k in kept):
            kept.append(one)
    return tuple(kept)


def best(found: tuple[Found, ...], budgets: Budgets, prefer: Preference, loss: Loss = "error") -> Found | None:
    """The one that keeps to the budgets and is best by what is preferred; None when none keeps to them."""
    order: Mapping[str, Callable[[Measured], tuple[float, ...]]] = {
        "accuracy": lambda m: (getattr(m, loss), m.flash_bytes, m.cycles),
        "flash": lambda m: (m.flash_bytes, getattr(m, loss), m.cycles),
        "latency": lambda m: (m.cycles, getattr(m, loss), m.flash_bytes),
    }
    fitting = [f for f in found if budgets.hold(f.measured)]
    return min(fitting, key=lambda f: order[prefer](f.measured), default=None)


def _values(loss: Loss, found: Found) -> tuple[float, ...]:
    m = found.measured
    return getattr(m, loss), m.flash_bytes, m.ram_bytes, m.cycles
