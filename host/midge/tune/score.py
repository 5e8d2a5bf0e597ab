"""How far a network is from the float one, on samples that tuning may see: never those of split 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.data import Dataset, Indices
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.measure.accuracy import accuracy, real_values
from midge.progress import Progress, silent

# Fewer samples than this measure next to nothing.
_FEW = 10


@dataclass(frozen=True)
class Score:
    """How a network does on the tuning samples: percent right (None without labels), and the mean squared error.

    `drop` is what float gets right more, in points; without labels the percentage of samples whose answer differs.
    """

    percent: float | None
    drop: float
    error: float


@dataclass(frozen=True, eq=False)
class Yardstick:
    """The float network on the tuning samples: `chosen` of `data`, which are of `split`.

    `exact` has its first output for each of them, `labels` their classes, `float_percent` what it gets right.
    """

    data: Dataset
    chosen: Indices
    split: int
    exact: Sequence[Array]
    labels: Array | None
    float_percent: float | None

    def score(self, graph: Graph, progress: Progress = silent, what: str = "measuring accuracy") -> Score:
        """How `graph` does; it takes the same inputs, as floats or integers."""
        output = graph.output_tensors[0]
        found = _outputs(graph, self.data, self.chosen, progress, what)
        real = [real_values(output, f) for f in found]
        error = float(
            np.mean([np.mean((r.astype(np.float64) - e) ** 2) for r, e in zip(real, self.exact, strict=True)])
        )
        if self.labels is None or self.float_percent is None:
            differ = [_answer(r) != _answer(e) for r, e in zip(real, self.exact, strict=True)]
            return Score(None, 100.0 * float(np.mean(differ)), error)
        percent = accuracy(output, found, self.labels).percent
        return Score(percent, self.float_percent - percent, error)


def float_yardstick(graph: Graph, data: Dataset, progress: Progress = silent) -> Yardstick:
    """The float `graph` on split 2 of `data`, or on split 1 where there is none."""
    chosen, split = (data.tune, 2) if len(data.tune) else (data.calibrate, 1)
    exact = _outputs(graph, data, chosen, progress, "trying: float network")
    labels = None if data.labels is None else data.labels[chosen]
    float_percent = None if labels is None else accuracy(graph.output_tensors[0], exact, labels).percent
    return Yardstick(data, chosen, split, exact, labels, float_percent)


def doubts(yardstick: Yardstick) -> tuple[str, ...]:
    """Sentences about samples on which the float network itself is of no use: then nothing can be lost, or measured."""
    answers = [_answer(value) for value in yardstick.exact]
    if len(answers) < _FEW:
        return (f"only {len(answers)} samples to measure on: {100 / len(answers):.0f} points each",)
    if len(set(answers)) == 1:
        return (
            f"the float network gives one answer for all {len(answers)} samples: scale the input as in training, or "
            "take samples of all kinds",
        )
    if yardstick.labels is None or yardstick.float_percent is None:
        return ()
    guess = 100.0 * float(np.bincount(yardstick.labels).max()) / len(answers)
    if yardstick.float_percent > guess:
        return ()
    return (
        f"the float network gets {yardstick.float_percent:.1f} % right, no more than one answer for all samples would: "
        "scale the input as in training, and check the labels",
    )


def _outputs(graph: Graph, data: Dataset, chosen: Indices, progress: Progress, what: str) -> list[Array]:
    """The first output for each of the samples."""
    columns = [data.inputs_for(tensor, chosen) for tensor in graph.input_tensors]
    return [interpret(graph, [column[i] for column in columns])[0] for i in progress(range(len(chosen)), what)]


def _answer(output: Array) -> int:
    return int(output.argmax()) if output.size > 1 else int(output.reshape(-1)[0] > 0.5)
