"""Whole Keras models, of Keras 2 and 3, against their recorded outputs."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest

from differential.draw_tensors import Case
from differential.programs import Rendered, compile_files, run_cases, write_case, write_main
from midge.importers import Imported, import_model
from midge.importers.framework import FrameworkFile, export_to_onnx
from midge.interpreter import interpret
from midge.ir.tensor import Array
from midge.measure.agreement import NOTHING_COMPARED, agreement
from midge.pipeline import compile_model
from midge.settings import Settings

# A .h5 and a .keras file of Keras 2, and what unrolls into the most operators; exporting all takes half a minute.
QUICK = ("sww_ref", "synth_conv_dw", "synth_lstm_fc")
SAMPLES = 5


def models(assets: Path, names: Collection[str]) -> dict[Path, tuple[Imported, Array, Array]]:
    """Recorded Keras models with their inputs and outputs; all are exported in one process."""
    records = [r for r in json.loads((assets / "models" / "keras.json").read_text()) if not names or r["name"] in names]
    paths = [assets / record["file"] for record in records]
    export_to_onnx([FrameworkFile("keras", path.stem, path.read_bytes()) for path in paths])
    found = {}
    for path, record in zip(paths, records, strict=True):
        with np.load(assets / record["npz"]) as file:
            found[path] = import_model(path), file["x"][:SAMPLES], file["y"][:SAMPLES]
    return found


def test_keras_models_give_the_recorded_outputs_in_the_interpreter_and_as_c(assets: Path, tmp_path: Path) -> None:
    check(models(assets, QUICK), tmp_path)


@pytest.mark.long
def test_every_keras_model_gives_the_recorded_outputs_in_the_interpreter_and_as_c(assets: Path, tmp_path: Path) -> None:
    found = models(assets, ())
    check(found, tmp_path)
    assert len(found) == 8


def check(found: dict[Path, tuple[Imported, Array, Array]], folder: Path) -> None:
    """Each model against its outputs, all compiled into one program."""
    rendered: list[Rendered] = []
    wanted: list[tuple[str, Array]] = []
    for path, (imported, inputs, outputs) in found.items():
        assert imported.format == "keras"
        compiled = compile_model(imported, Settings(precision="as-is"))
        (shape,) = {t.shape for t in compiled.graph.input_tensors}
        (y,) = compiled.graph.output_tensors
        total = NOTHING_COMPARED
        for sample, output in zip(inputs, outputs, strict=True):
            total = total.plus(agreement(interpret(compiled.graph, [sample.reshape(shape)]), [output.reshape(y.shape)]))
        assert total.mismatches == 0, f"{path.name}: {total}"
        rendered.append(write_case(Case(compiled.graph, (inputs[0].reshape(shape),)), compiled.program, folder))
        wanted.append((path.name, outputs[0].reshape(y.shape)))
        kinds = {op.kind for op in compiled.graph.ops}
        assert not kinds & {"transpose", "batch_normalization"}, path.name
    write_main(rendered, folder)
    compile_files(
        ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "main.c", "cases.c", "-lm", "-o", "models"], folder
    )
    for (name, output), got in zip(wanted, run_cases(folder / "models", rendered), strict=True):
        assert agreement(got, [output]).mismatches == 0, name
