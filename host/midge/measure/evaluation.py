"""Runs samples on a device, holds every output against the reference, and finds accuracy and cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from midge.data import Dataset, Indices, draw_inputs
from midge.errors import CheckFailedError, DataError, DeviceFaultError, LinkError, MidgeError
from midge.ir.graph import Graph
from midge.ir.tensor import Array
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

    `run_ticks` are the device's own ticks (the emulator's cycles) of every run, `layer_ticks` those of each layer in
    every run; zeros where it has none. `was_timed`: a number of runs was asked for. `broken`: what ended the
    evaluation before its last sample.
    """

    agreement: Agreement
    against: str
    accuracies: Accuracies | None
    typical: Sample
    notes: tuple[str, ...]
    run_ticks: tuple[int, ...] = ()
    layer_ticks: tuple[tuple[int, ...], ...] = ()
    was_timed: bool = False
    broken: MidgeError | None = None


def evaluate(
    compiled: Compiled,
    device: Device,
    data: Dataset | None,
    limit: int | None,
    progress: Progress,
    runs: int | None = None,
    sequence: bool = False,
) -> Evaluation:
    """Run the evaluation samples (at most `limit`), or a few drawn ones where there is no data.

    A network that remembers forgets before each sample; in a `sequence`, where a stream of the data begins. With
    `runs`, samples are run again in turn until there were so many runs: for their times. A device that stops
    answering behind the first sample leaves an evaluation of those before.

    Raises CheckFailedError when a sample that is run again gives another output.
    """
    chosen = None if data is None else _chosen(data, limit)
    if data is None or chosen is None:
        inputs = draw_inputs(compiled.graph, limit or DRAWN_SAMPLES, compiled.settings.seed)
    else:
        inputs = _rows(compiled.graph, data, chosen)
    resets = reset_flags(compiled.graph, data, chosen, len(inputs), sequence)
    total = NOTHING_COMPARED
    results: list[Sample] = []
    broken: MidgeError | None = None
    with _reference(compiled) as (reference, against, notes):
        again = list(zip(inputs, resets, strict=True))
        try:
            for sample, reset in progress(again, f"running on {compiled.board.name}"):
                if reset:
                    device.reset()
                    reference.reset()
                result = device.infer(sample)
                total = total.plus(agreement(result.outputs, reference.infer(sample).outputs))
                results.append(result)
            timed = [*results, *_again(device, again, results, runs or 0, progress)]
        except (LinkError, DeviceFaultError) as problem:
            if not results:
                raise
            broken, timed = problem, results
    accuracies = None
    if data is not None and chosen is not None and data.labels is not None:
        ran = len(results)
        outputs = [r.outputs[0] for r in results]
        accuracies = _accuracies(compiled, data, chosen[:ran], outputs, resets[:ran], progress)
    typical = sorted(results, key=lambda r: r.cycles or r.total_ticks)[len(results) // 2]
    run_ticks = tuple(r.cycles or r.total_ticks for r in timed)
    layer_ticks = tuple(zip(*(r.layer_ticks for r in timed), strict=True))
    return Evaluation(total, against, accuracies, typical, notes, run_ticks, layer_ticks, runs is not None, broken)


def _again(
    device: Device,
    again: Sequence[tuple[Sequence[Array], bool]],
    results: Sequence[Sample],
    runs: int,
    progress: Progress,
) -> list[Sample]:
    """More runs of the same samples until there are `runs` in all; their outputs must be the same again."""
    more = range(len(results), runs)
    timed = []
    for number in progress(more, "timing"):
        place = number % len(results)
        inputs, reset = again[place]
        if reset or place == 0:
            device.reset()
        sample = device.infer(inputs)
        if any(a.tobytes() != b.tobytes() for a, b in zip(sample.outputs, results[place].outputs, strict=True)):
            raise CheckFailedError(
                f"sample {place} gave another output when it was run again",
                hint="a run must depend on its inputs alone: report this",
            )
        timed.append(replace(sample, outputs=[], functions={}))
    return timed


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
    made_dynamic = compiled.graph.is_float and compiled.settings.precision == "dynamic"
    takes_other = compiled.settings.raw is not None or compiled.graph.is_float != compiled.canonical.is_float
    if fused or made_dynamic or takes_other:
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
