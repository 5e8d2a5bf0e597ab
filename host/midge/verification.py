"""`verify`: a model's outputs against goldens or the reference kernels, on each of the places where it can run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from midge.build.platformio import Say
from midge.data import Case, draw_inputs, load_golden_sequences
from midge.errors import MidgeError
from midge.importers import Imported
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.measure.agreement import NOTHING_COMPARED, Agreement, agreement, has_dynamic_layers
from midge.measure.locate import first_difference, infer_stream
from midge.pipeline import Compiled, compile_graph, compile_model
from midge.progress import Progress, silent
from midge.run.board import board_device
from midge.run.device import Device, Interpreter, Sample
from midge.run.devices import emulated_device, native_device
from midge.run.reference import Reference
from midge.run.references import open_reference, reference_name
from midge.settings import Settings

BOARD = "board"
PLACES = ("interpreter", "native", "emulator", BOARD)
DRAWN_SAMPLES = 10


def _say_nothing(_: str) -> None:
    """Where nobody wants to know how it goes on."""


@dataclass(frozen=True)
class Verification:
    """What was compared with what. `first_layer` is where outputs part first, None when they agree or nobody knows.

    `dynamic`: the model has layers of dynamic range, whose floats agree within 1 % of the largest reference output.
    """

    model: str
    against: str
    agreement: Agreement
    first_layer: str | None
    dynamic: bool = False


def verify_model(
    imported: Imported,
    settings: Settings,
    place: str,
    golden: Path | None = None,
    samples: int | None = None,
    sanitize: bool = True,
    progress: Progress = silent,
    port: str = "",
    say: Say = _say_nothing,
    sequence: bool = False,
) -> Verification:
    """Run the model as it is on `place` (one of PLACES; `board` is the one at `port`) and compare every output value.

    `golden` is an .npz of inputs and outputs; without it the format's own reference answers drawn inputs. A network
    that remembers forgets before each sample; in a `sequence` before each array of goldens, or the first drawn input.
    """
    graph = imported.graph
    if golden is not None:
        streams, against = load_golden_sequences(golden, graph), golden.name
    else:
        streams = [_live_cases(imported, samples or DRAWN_SAMPLES, settings.seed, sequence)]
        against = reference_name(imported)
    cases = [(number, case) for number, stream in enumerate(streams) for case in stream][:samples]
    # ONNX says itself in which precision weights count: its dequantized ones are plain floats.
    dynamic = imported.format == "tflite" and has_dynamic_layers(graph)
    total, wrong, before = NOTHING_COMPARED, None, -1
    seen: list[list[Array]] = []
    with _open(imported, settings, place, sanitize, port, say) as device:
        for number, (inputs, outputs) in progress(cases, f"verifying on {place}"):
            if graph.updates and (not sequence or number != before):
                device.reset()
                seen = []
            seen, before = [*seen, inputs] if graph.updates else [inputs], number
            found = agreement(device.infer(inputs).outputs, outputs, dynamic=dynamic)
            total = total.plus(found)
            if found.mismatches and wrong is None:
                wrong = seen
    layer = None if wrong is None or place == BOARD else _first_layer(imported, settings, place, sanitize, wrong)
    return Verification(graph.name, against, total, layer, dynamic)


def _live_cases(imported: Imported, samples: int, seed: int, sequence: bool) -> list[Case]:
    cases: list[Case] = []
    with open_reference(imported) as reference:
        for inputs in draw_inputs(imported.graph, samples, seed):
            if imported.graph.updates and (not sequence or not cases):
                reference.reset()
            cases.append((inputs, reference.run(inputs)))
    return cases


@contextmanager
def _open(imported: Imported, settings: Settings, place: str, sanitize: bool, port: str, say: Say) -> Iterator[Device]:
    if place == "interpreter":
        yield Interpreter(imported.graph)
        return
    if place == BOARD:
        with board_device(compile_model(imported, settings), port, say) as board:
            yield board
        return
    with _open_compiled(compile_model(imported, settings), place, sanitize) as device:
        yield device


@contextmanager
def _open_compiled(compiled: Compiled, place: str, sanitize: bool) -> Iterator[Device]:
    with tempfile.TemporaryDirectory(prefix="midge-") as folder:
        opened: AbstractContextManager[Device]
        if place == "native":
            opened = native_device(compiled, Path(folder), sanitize=sanitize)
        else:
            opened = emulated_device(compiled, Path(folder))
        with opened as device:
            yield device


def _first_layer(
    imported: Imported, settings: Settings, place: str, sanitize: bool, stream: Sequence[Sequence[Array]]
) -> str | None:
    """The first layer of the device that leaves the interpreter, else of the interpreter that leaves TFLite.

    `stream` are the samples since the network last forgot; its last one came out wrong.
    """
    if place != "interpreter":
        compiled = compile_model(imported, settings)

        def run(graph: Graph, stream: Sequence[Sequence[Array]]) -> Sample:
            part = compile_graph(imported, compiled.canonical, graph, settings, compiled.board)
            with _open_compiled(part, place, sanitize) as device:
                return infer_stream(graph, device, stream)

        if layer := first_difference(compiled.graph, stream, run):
            return layer
    return _first_layer_of_interpreter(imported, stream)


def _first_layer_of_interpreter(imported: Imported, stream: Sequence[Sequence[Array]]) -> str | None:
    graph = imported.graph
    if imported.format != "tflite":
        return None
    try:
        with Reference(imported.path) as reference:
            for inputs in stream[:-1]:
                reference.run(inputs)
            right = reference.run_all(stream[-1])
    except MidgeError:
        return None
    interpreter = Interpreter(graph)
    for inputs in stream:
        values = interpreter.all_values(inputs)
    dynamic = has_dynamic_layers(graph)
    wrong = {n for n in right if n in values and agreement([values[n]], [right[n]], dynamic=dynamic).mismatches}
    for op in graph.ops:
        # The runtime adds in place: a tensor that it has overwritten looks wrong although what was made of it is right.
        readers = graph.consumers(op.outputs[0])
        if wrong & {*op.outputs} and (not readers or any(wrong & {*reader.outputs} for reader in readers)):
            return op.name
    return None
