"""How often a classifier is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.errors import DataError
from midge.ir.tensor import Array, Tensor

TOP1 = "top-1 accuracy"
BINARY = "accuracy at 0.5"


@dataclass(frozen=True)
class Accuracy:
    """A share of correct answers, in percent, and how an answer was read from the outputs."""

    metric: str
    percent: float
    samples: int


def metric_for(output: Tensor) -> str:
    """Top-1 for an output of several classes, a threshold at 0.5 for a single probability."""
    return BINARY if output.elements == 1 else TOP1


def accuracy(output: Tensor, values: Sequence[Array], labels: Array) -> Accuracy:
    """Share of `values` (one array of the output's shape per sample) that agree with integer `labels`.

    Equal scores count for the class that comes first. Raises DataError for labels that no output can mean.
    """
    scores = np.stack([np.asarray(v).reshape(-1) for v in values])
    classes = 2 if output.elements == 1 else output.elements
    if len(labels) != len(scores) or labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"labels {labels.min()}..{labels.max()} for an output of {output.elements} values",
            hint="`y` holds one class index per sample, counted from 0",
        )
    metric = metric_for(output)
    answers = real_values(output, scores[:, 0]) > 0.5 if metric == BINARY else scores.argmax(axis=1)
    return Accuracy(metric, 100.0 * float(np.mean(answers == labels)), len(labels))


def real_values(tensor: Tensor, values: Array) -> Array:
    """Quantized `values` of `tensor` as real numbers; float ones as they are."""
    if tensor.quant is None:
        return values
    return (values.astype(np.float64) - tensor.quant.zero_point) * tensor.quant.scale
