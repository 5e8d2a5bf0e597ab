"""Runs samples on a device, holds every output against the reference, and finds accuracy and cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midge.data import Dataset, Indices, draw_inputs
from midge.errors import DataError, MidgeError
from midge.ir.graph import Array, Graph
from midge.measure.accuracy import accuracy
from midge.measure.agreement import NOTHING_COMPARED, Agreement, agreement
from midge.progress import Progress
from midge.run.device import Device, Interpreter, Sample
from midge.run.references import AnyReference, open_reference, reference_name

if TYPE_CHECKING:
    from midge.pipeline import Compiled

DRAWN_SAMPLES = 3
DEFINITION = "midge's interpreter"


@dataclass(frozen=True)
class Accuracies:
    """Percent right of the float model (None for a model that came in integer), the integer interpreter, the device."""

    metric: str
    samples: int
    float_percent: float | None
    integer_percent: float
    device_percent: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What running the samples showed. `typical` is the sample of median cost, whose cycles the report gives.

    `run_ticks` are the device's own ticks of every run, sorted; zeros where it has none.
    """

    agreement: Agreement
    against: str
    accuracies: Accuracies | None
    typical: Sample
    notes: tuple[str, ...]
    run_ticks: tuple[int, ...] = ()


def evaluate(
    compiled: Compiled,
    device: Device,
    data: Dataset | None,
    limit: int | None,
    progress: Progress,
    sequence: bool = False,
) -> Evaluation:
    """Run the evaluation samples (at most `limit`), or a few drawn ones where there is no data.

    A network that remembers forgets before each sample; in a `sequence`, where a stream of the data begins.
    """
    chosen = None if data is None else _chosen(data, limit)
    if data is None or chosen is None:
        inputs = draw_inputs(compiled.graph, limit or DRAWN_SAMPLES, compiled.settings.seed)
    else:
        inputs = _rows(compiled.graph, data, chosen)
    resets = reset_flags(compiled.graph, data, chosen, len(inputs), sequence)
    total = NOTHING_COMPARED
    results: list[Sample] = []
    with _reference(compiled) as (reference, against, notes):
        for sample, reset in progress(list(zip(inputs, resets, strict=True)), f"running on {compiled.board.name}"):
            if reset:
                device.reset()
                reference.reset()
            result = device.infer(sample)
            total = total.plus(agreement(result.outputs, reference.infer(sample).outputs))
            results.append(result)
    accuracies = None
    if data is not None and chosen is not None and data.labels is not None:
        accuracies = _accuracies(compiled, data, chosen, [r.outputs[0] for r in results], resets, progress)
    typical = sorted(results, key=lambda r: r.cycles or r.total_ticks)[len(results) // 2]
    run_ticks = tuple(sorted(r.total_ticks for r in results))
    return Evaluation(total, against, accuracies, typical, notes, run_ticks)


def _chosen(data: Dataset, limit: int | None) -> Indices:
    if len(data.evaluate) == 0:
        raise DataError(
            f"{data.path} has no samples to evaluate: none has split 0", hint="mark some samples with split 0"
        )
    return data.evaluate[:limit]


def reset_flags(graph: Graph, data: Dataset | None, chosen: Indices | None, samples: int, sequence: bool) -> list[bool]:
    """Before which samples a network forgets: none that has nothing to forget, each one, or where a stream begins."""
    if not graph.updates or not sequence:
        return [bool(graph.updates)] * samples
    if data is None or chosen is None:
        return [i == 0 for i in range(samples)]
    return data.starts(chosen)


def _rows(graph: Graph, data: Dataset, chosen: Indices) -> list[list[Array]]:
    columns = [data.inputs_for(tensor, chosen) for tensor in graph.input_tensors]
    return [list(row) for row in zip(*columns, strict=True)]


@dataclass(frozen=True, eq=False)
class Original:
    """The reference of the model's format as a device."""

    kernels: AnyReference

    def infer(self, inputs: Sequence[Array]) -> Sample:
        """The reference's outputs."""
        return Sample(self.kernels.run(inputs))

    def reset(self) -> None:
        """Forgets all earlier samples."""
        self.kernels.reset()


@contextmanager
def _reference(compiled: Compiled) -> Iterator[tuple[Device, str, tuple[str, ...]]]:
    """What the outputs must equal: the original runtime for a model deployed as it came, else the definition."""
    definition: Device = Interpreter(compiled.graph)
    is_onnx_integers = compiled.imported.is_onnx and not compiled.graph.is_float
    fused = is_onnx_integers and compiled.settings.precision == "int8"
    if fused or compiled.graph.is_float != compiled.canonical.is_float:
        yield definition, DEFINITION, ()
        return
    try:
        kernels = open_reference(compiled.imported)
    except MidgeError as problem:
        yield definition, DEFINITION, (f"compared with {DEFINITION}: {problem.message}",)
        return
    with kernels:
        yield Original(kernels), reference_name(compiled.imported), ()


def _accuracies(
    compiled: Compiled,
    data: Dataset,
    chosen: Indices,
    device_outputs: Sequence[Array],
    resets: Sequence[bool],
    progress: Progress,
) -> Accuracies:
    assert data.labels is not None
    labels = data.labels[chosen]
    on_device = accuracy(compiled.graph.output_tensors[0], device_outputs, labels)
    on_host = _interpreted(compiled.graph, data, chosen, labels, resets, "accuracy on the host", progress)
    in_float = None
    if compiled.canonical.is_float:
        in_float = _interpreted(compiled.canonical, data, chosen, labels, resets, "accuracy in float", progress)
    return Accuracies(on_device.metric, len(labels), in_float, on_host, on_device.percent)


def _interpreted(
    graph: Graph, data: Dataset, chosen: Indices, labels: Array, resets: Sequence[bool], what: str, progress: Progress
) -> float:
    interpreter, outputs = Interpreter(graph), []
    for row, reset in progress(list(zip(_rows(graph, data, chosen), resets, strict=True)), what):
        if reset:
            interpreter.reset()
        outputs.append(interpreter.infer(row).outputs[0])
    return accuracy(graph.output_tensors[0], outputs, labels).percent
