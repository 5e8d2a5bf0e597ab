"""`verify`: a model's outputs against goldens or the reference kernels, on each of the places where it can run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from midge.build.platformio import Say
from midge.data import Case, draw_inputs, load_golden
from midge.errors import MidgeError
from midge.importers import Imported
from midge.ir.graph import Array, Graph
from midge.measure.agreement import NOTHING_COMPARED, Agreement, agreement
from midge.measure.locate import first_difference
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
    """What was compared with what. `first_layer` is where outputs part first, None when they agree or nobody knows."""

    model: str
    against: str
    agreement: Agreement
    first_layer: str | None


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
) -> Verification:
    """Run the model as it is on `place` (one of PLACES; `board` is the one at `port`) and compare every output value.

    `golden` is an .npz of inputs and outputs; without it the format's own reference answers drawn inputs.
    """
    graph = imported.graph
    if golden is not None:
        cases, against = load_golden(golden, graph)[:samples], golden.name
    else:
        cases, against = (
            _live_cases(imported, samples or DRAWN_SAMPLES, settings.seed),
            reference_name(imported),
        )
    total, wrong = NOTHING_COMPARED, None
    with _open(imported, settings, place, sanitize, port, say) as device:
        for inputs, outputs in progress(cases, f"verifying on {place}"):
            found = agreement(device.infer(inputs).outputs, outputs)
            total = total.plus(found)
            if found.mismatches and wrong is None:
                wrong = inputs
    layer = None if wrong is None or place == BOARD else _first_layer(imported, settings, place, sanitize, wrong)
    return Verification(graph.name, against, total, layer)


def _live_cases(imported: Imported, samples: int, seed: int) -> list[Case]:
    with open_reference(imported) as reference:
        return [(inputs, reference.run(inputs)) for inputs in draw_inputs(imported.graph, samples, seed)]


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
    imported: Imported, settings: Settings, place: str, sanitize: bool, inputs: Sequence[Array]
) -> str | None:
    """The first layer of the device that leaves the interpreter, else of the interpreter that leaves TFLite."""
    if place != "interpreter":
        compiled = compile_model(imported, settings)

        def run(graph: Graph, values: Sequence[Array]) -> Sample:
            part = compile_graph(imported, compiled.canonical, graph, settings, compiled.board)
            with _open_compiled(part, place, sanitize) as device:
                return device.infer(values)

        if layer := first_difference(compiled.graph, inputs, run):
            return layer
    return _first_layer_of_interpreter(imported, inputs)


def _first_layer_of_interpreter(imported: Imported, inputs: Sequence[Array]) -> str | None:
    graph = imported.graph
    if imported.format != "tflite":
        return None
    try:
        with Reference(imported.path) as reference:
            right = reference.run_all(inputs)
    except MidgeError:
        return None
    values = Interpreter(graph).all_values(inputs)
    wrong = {name for name in right if name in values and agreement([values[name]], [right[name]]).mismatches}
    for op in graph.ops:
        # The runtime adds in place: a tensor that it has overwritten looks wrong although what was made of it is right.
        readers = graph.consumers(op.outputs[0])
        if wrong & {*op.outputs} and (not readers or any(wrong & {*reader.outputs} for reader in readers)):
            return op.name
    return None
