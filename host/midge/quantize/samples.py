"""What can be told from calibration data before it is trusted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from midge.errors import DataError, SettingsError
from midge.ir.graph import Graph
from midge.ir.tensor import Array

# One sample: a value for each input of the network. All of them: whatever has a length and an index.
Sample = Sequence[Array]
Samples = Sequence[Sample]

FEW = 10
# So many values of an input are looked at: enough to tell, little enough not to wait for.
_ENOUGH = 1 << 16
# Inputs whose reaches are so many times apart are not of one kind.
_OTHER_RANGE = 2.0
# Below this many values, or for samples with fewer neighbors, chance alone may look like noise.
_NOISE_VALUES, _NOISE_NEIGHBORS = 2048, 16


def require_samples(graph: Graph, samples: Samples | None) -> Samples:
    """`samples`, when there are any. Raises SettingsError without: ranges of made-up data would mean nothing."""
    if samples is None or len(samples) == 0:
        raise SettingsError(
            f"{graph.name} is a float model: to make it int8, midge must see what values it works on",
            hint="--data FILE.npz with typical inputs as `x`, or --precision float to deploy it as it is",
        )
    return samples


def require_finite(sample: Sample, index: int) -> None:
    """Raises DataError when an input of sample number `index` holds NaN or infinity."""
    if not all(np.isfinite(value).all() for value in sample):
        raise DataError(f"calibration sample {index} holds NaN or infinity", hint="remove it from the data")


def sample_notes(samples: Samples) -> tuple[str, ...]:
    """Sentences about data that makes poor ranges: too few, constant, or like noise; () when it is fine."""
    notes = []
    if len(samples) < FEW:
        notes.append(f"only {len(samples)} calibration samples: ranges of fewer than {FEW} may be too narrow")
    for index in range(len(samples[0])):
        some = samples[0][index].size
        values = np.stack([samples[i][index] for i in range(min(len(samples), max(2, _ENOUGH // some)))])
        where = f"input {index + 1}" if len(samples[0]) > 1 else "the input"
        if is_constant(values):
            notes.append(f"{where} is the same in all calibration samples: the ranges hold for nothing else")
        elif is_noise(values):
            notes.append(f"{where} looks like random noise in the calibration samples: use real data")
    return tuple(notes)


def range_notes(samples: Samples, others: Samples) -> tuple[str, ...]:
    """A sentence for each input that reaches elsewhere in the calibration `samples` than in `others`."""
    notes = []
    for index in range(len(samples[0])):
        here, there = (_reach(some, index) for some in (samples, others))
        if max(here, there) > _OTHER_RANGE * min(here, there):
            where = f"input {index + 1}" if len(samples[0]) > 1 else "the input"
            notes.append(
                f"{where} reaches {here:.4g} in the calibration samples and {there:.4g} in those to tune on: one of "
                "them is scaled otherwise"
            )
    return tuple(notes)


def _reach(samples: Samples, index: int) -> float:
    """The magnitude that one value in a thousand exceeds."""
    some = np.linspace(0, len(samples) - 1, min(len(samples), 100)).astype(int)
    return float(np.percentile(np.abs(np.concatenate([samples[int(i)][index].reshape(-1) for i in some])), 99.9))


def is_constant(values: Array) -> bool:
    """Whether all samples (first axis) are equal, or each is one number throughout."""
    flat = values.reshape(len(values), -1)
    same = len(flat) > 1 and bool((flat == flat[:1]).all())
    return same or (flat.shape[1] > 1 and bool((flat == flat[:, :1]).all()))


def is_noise(values: Array) -> bool:
    """Whether neighbors along every axis, and the same place in every two samples, have nothing to do with each other.

    What is measured is the correlation with the next value along each axis; independent values keep it within a few
    times 1 / sqrt(count), real signals and images do not on all axes at once.
    """
    centered = values.astype(np.float64) - values.mean()
    power = float((centered**2).mean())
    if values.size < _NOISE_VALUES or values[0].size < _NOISE_NEIGHBORS or power == 0:
        return False
    for axis, size in enumerate(values.shape):
        if size < 2:
            continue
        ahead, behind = np.delete(centered, 0, axis), np.delete(centered, size - 1, axis)
        if abs(float((ahead * behind).mean())) > 5 * power / np.sqrt(ahead.size):
            return False
    return True
