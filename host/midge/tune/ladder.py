"""The ladder of post-training quantization: one method after the other, until the accuracy lost fits the budget.

Each rung is a setting (see midge.settings). It stays when the outputs come nearer to the float network's on the tuning
samples, and is left out again when they do not; what it gained is measured, not promised.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from midge.data import Dataset
from midge.errors import SettingsError
from midge.ir.graph import Graph
from midge.progress import Progress, silent
from midge.quantize.model import CalibrationWarning, Rounded, calibration_samples, corrected, rounded
from midge.quantize.samples import Samples, range_notes, sample_notes
from midge.settings import Precision, Settings
from midge.tune.score import Score, doubts, float_yardstick

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
# The rungs that change anything, where that is not all of them.
_RUNGS_OF: Mapping[Precision, frozenset[str]] = {
    "dynamic": frozenset({"minmax"}),
}


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

    Calibration sees split 1; scores are of split 2, or of split 1 where there is none; never of split 0. Warns with
    CalibrationWarning where the data looks doubtful. Raises SettingsError for an integer network, or a rung to skip
    that is none.
    """
    _check(graph, skip)
    samples = calibration_samples(graph, data, settings)
    yardstick = float_yardstick(graph, data, progress)
    for note in (*sample_notes(samples), *_other_range(graph, data, samples), *doubts(yardstick)):
        warnings.warn(note, CalibrationWarning, stacklevel=2)
    best: tuple[Settings, Graph, Score] | None = None
    climbed: list[Climbed] = []
    known: list[Rounded] = []
    for name, (what, changes) in RUNGS.items():
        if name in skip or name not in _RUNGS_OF.get(settings.precision, RUNGS):
            continue
        if name in _NARROW_ONLY and not _is_narrow(settings):
            continue
        start = time.monotonic()
        tried = replace(settings if best is None else best[0], **changes)
        known.append(rounded(graph, tried, samples, progress, known))
        made = corrected(known[-1], tried, samples, progress)
        score = yardstick.score(made, progress, f"trying: {what}")
        kept = best is None or score.error < best[2].error
        climbed.append(Climbed(name, kept, score, time.monotonic() - start))
        if best is None or kept:
            best = tried, made, score
        if best[2].drop <= max_drop and not to_the_top:
            break
    assert best is not None
    return Ascent(*best, tuple(climbed), yardstick.float_percent, len(yardstick.chosen), yardstick.split)


def _check(graph: Graph, skip: Sequence[str]) -> None:
    if not graph.is_float:
        raise SettingsError(f"{graph.name} is an integer model already", hint="start from the float model")
    for name in skip:
        if name not in RUNGS:
            raise SettingsError(f"there is no rung {name}", hint=f"allowed: {', '.join(RUNGS)}")
    if set(skip) >= set(RUNGS):
        raise SettingsError("every rung is skipped", hint="leave one")


def _other_range(graph: Graph, data: Dataset, samples: Samples) -> tuple[str, ...]:
    columns = [data.inputs_for(tensor, data.tune) for tensor in graph.input_tensors]
    return range_notes(samples, list(zip(*columns, strict=True))) if len(data.tune) else ()


def _is_narrow(settings: Settings) -> bool:
    return settings.weights != "int8" or any(width != "int8" for width in settings.layers.values())
