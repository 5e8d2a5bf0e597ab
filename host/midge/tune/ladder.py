"""The ladder of post-training quantization: one method after the other, until the accuracy lost fits the budget.

Each rung is a setting (see midge.settings). It stays when the outputs come nearer to the float network's on the tuning
samples, and is left out again when they do not; what it gained is measured, not promised.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from midge.data import Dataset, Indices
from midge.errors import SettingsError
from midge.interpreter import interpret
from midge.ir.graph import Array, Graph
from midge.measure.accuracy import accuracy, real_values
from midge.progress import Progress, silent
from midge.quantize.model import Rounded, calibration_samples, corrected, rounded
from midge.settings import Settings

# In this order: what is cheap and nearly always helps comes first.
RUNGS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "minmax": ("per-channel weights, ranges by their extremes", {}),
    "ranges": ("ranges by the error of the next layers", {"ranges": "output"}),
    "equalize": ("channels equalized across layers", {"equalize": True}),
    "bias": ("biases corrected", {"bias_correction": "outputs"}),
    "adaround": ("rounding learnt (AdaRound)", {"rounding": "adaround"}),
    "blocks": ("blocks reconstructed (BRECQ), for weights below 8 bits", {"rounding": "blocks"}),
}
# Rungs that are left out of networks whose weights all have 8 bits: they would gain nothing for their time.
_NARROW_ONLY = frozenset({"blocks"})


@dataclass(frozen=True)
class Score:
    """How a network does on the tuning samples: percent right (None without labels), and the mean squared error.

    `drop` is what float gets right more, in points; without labels the percentage of samples whose answer differs.
    """

    percent: float | None
    drop: float
    error: float


@dataclass(frozen=True)
class Climbed:
    """One rung: its name, whether it stayed, the score with it, and the seconds it took."""

    rung: str
    kept: bool
    score: Score
    seconds: float


@dataclass(frozen=True, eq=False)
class Ascent:
    """Where the climb ended: the settings and the network, each rung, and the float network's percentage.

    `samples` and `split` say what the scores were measured on.
    """

    settings: Settings
    graph: Graph
    score: Score
    rungs: tuple[Climbed, ...]
    float_percent: float | None
    samples: int
    split: int


def climb(
    graph: Graph,
    data: Dataset,
    settings: Settings,
    max_drop: float,
    skip: Sequence[str] = (),
    to_the_top: bool = False,
    progress: Progress = silent,
) -> Ascent:
    """Climb from `settings` until the drop on the tuning samples is at most `max_drop` points, or to the last rung.

    Calibration sees split 1; scores are of split 2, or of split 1 where there is none; never of split 0. Raises
    SettingsError for an integer network, or a rung to skip that is none.
    """
    _check(graph, skip)
    samples = calibration_samples(graph, data, settings)
    tuning, split = (data.tune, 2) if len(data.tune) else (data.calibrate, 1)
    exact = _outputs(graph, data, tuning, progress, "float network")
    labels = None if data.labels is None else data.labels[tuning]
    float_percent = None if labels is None else accuracy(graph.output_tensors[0], exact, labels).percent
    best: tuple[Settings, Graph, Score] | None = None
    climbed: list[Climbed] = []
    known: list[Rounded] = []
    for name, (what, changes) in RUNGS.items():
        if name in skip or (name in _NARROW_ONLY and not _is_narrow(settings)):
            continue
        start = time.monotonic()
        tried = replace(settings if best is None else best[0], **changes)
        known.append(rounded(graph, tried, samples, progress, known))
        made = corrected(known[-1], tried, samples, progress)
        score = _score(made, exact, labels, float_percent, _outputs(made, data, tuning, progress, what))
        kept = best is None or score.error < best[2].error
        climbed.append(Climbed(name, kept, score, time.monotonic() - start))
        if best is None or kept:
            best = tried, made, score
        if best[2].drop <= max_drop and not to_the_top:
            break
    assert best is not None
    return Ascent(*best, tuple(climbed), float_percent, len(tuning), split)


def _check(graph: Graph, skip: Sequence[str]) -> None:
    if not graph.is_float:
        raise SettingsError(f"{graph.name} is an integer model already", hint="start from the float model")
    for name in skip:
        if name not in RUNGS:
            raise SettingsError(f"there is no rung {name}", hint=f"allowed: {', '.join(RUNGS)}")
    if set(skip) >= set(RUNGS):
        raise SettingsError("every rung is skipped", hint="leave one")


def _is_narrow(settings: Settings) -> bool:
    return settings.weights != "int8" or any(width != "int8" for width in settings.layers.values())


def _outputs(graph: Graph, data: Dataset, chosen: Indices, progress: Progress, what: str) -> list[Array]:
    """The first output for each of the samples."""
    columns = [data.inputs_for(tensor, chosen) for tensor in graph.input_tensors]
    return [
        interpret(graph, [column[i] for column in columns])[0] for i in progress(range(len(chosen)), f"trying: {what}")
    ]


def _score(
    graph: Graph, exact: Sequence[Array], labels: Array | None, float_percent: float | None, found: Sequence[Array]
) -> Score:
    output = graph.output_tensors[0]
    real = [real_values(output, f) for f in found]
    error = float(np.mean([np.mean((r.astype(np.float64) - e) ** 2) for r, e in zip(real, exact, strict=True)]))
    if labels is None or float_percent is None:
        differ = [_answer(r) != _answer(e) for r, e in zip(real, exact, strict=True)]
        return Score(None, 100.0 * float(np.mean(differ)), error)
    percent = accuracy(output, found, labels).percent
    return Score(percent, float_percent - percent, error)


def _answer(output: Array) -> int:
    return int(output.argmax()) if output.size > 1 else int(output.reshape(-1)[0] > 0.5)
