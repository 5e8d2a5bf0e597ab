"""What the steps of quantization take, in seconds of one core's time and beside one run of the float network."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from accuracy_rows import PLAIN_SETTINGS, Subject

from midge.interpreter import interpret_all
from midge.quantize.model import calibration_samples, quantize_with, rounded
from midge.tune.ladder import climb

# Seconds that each may take on two cores.
LIMITS = {"calibration": 10, "ladder to int8": 60, "AdaRound": 300, "block reconstruction, int4": None}


def times(s: Subject) -> dict[str, Any]:
    """Seconds of processor time by step, all in one thread, and how many runs of the float network that is."""
    samples = calibration_samples(s.graph, s.data, PLAIN_SETTINGS)
    equalized = replace(PLAIN_SETTINGS, equalize=True)
    float_run = _seconds(lambda: [interpret_all(s.graph, sample) for sample in samples]) / len(samples)
    learnt = replace(equalized, rounding="adaround")
    narrow = replace(equalized, weights="int4", rounding="blocks")
    known = [replace(rounded(s.graph, replace(narrow, rounding="nearest"), samples), settings=_before(narrow))]
    steps = {
        "calibration": lambda: quantize_with(s.graph, PLAIN_SETTINGS, samples),
        "ladder to int8": lambda: climb(s.graph, s.data, PLAIN_SETTINGS, 0.0, ["adaround"], to_the_top=True),
        "AdaRound": lambda: rounded(s.graph, learnt, samples),
        "block reconstruction, int4": lambda: rounded(s.graph, narrow, samples, known=known),
    }
    found = {name: _seconds(step) for name, step in steps.items()}
    return {
        "samples": len(samples),
        "steps": {
            name: {"seconds": round(seconds, 1), "float_runs": round(seconds / float_run), "limit": LIMITS[name]}
            for name, seconds in found.items()
        },
    }


def _before(settings: Any) -> Any:
    return replace(settings, rounding="adaround")


def _seconds(step: Callable[[], object]) -> float:
    start = time.process_time()
    step()
    return time.process_time() - start
