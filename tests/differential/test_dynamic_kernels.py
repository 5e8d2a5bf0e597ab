"""Layers of dynamic range as C give the interpreter's floats bit for bit, and nearly those of TensorFlow Lite."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from differential.draw_dynamic import DRAWS, dynamic_cases
from differential.programs import SANITIZED, WARNINGS, compile_files, render_cases, run_cases
from midge.exporters.tflite_file import tflite_file
from midge.kernels.select import variants
from midge.ops.registry import tflite_writers

COUNT = 24


@pytest.mark.parametrize("kind", sorted(DRAWS))
@pytest.mark.parametrize("command", [list(SANITIZED), ["clang", "-O3"]], ids=["gcc", "clang"])
def test_generated_c_equals_the_interpreter(kind: str, command: list[str], tmp_path: Path) -> None:
    if not shutil.which(command[0]):
        pytest.skip(f"needs {command[0]}: apt-get install {command[0]}")
    rendered = render_cases(dynamic_cases(kind, COUNT), variants(kind)[-1], tmp_path)
    assert len(rendered) == COUNT
    compile_files([*command, *WARNINGS, "main.c", "cases.c", "-o", "cases"], tmp_path)
    for item, found in zip(rendered, run_cases(tmp_path / "cases", rendered), strict=True):
        for value, expected in zip(found, item.case.evaluate(), strict=True):
            np.testing.assert_array_equal(value, expected, err_msg=str(item.case.op))


@pytest.mark.parametrize("kind", ["fully_connected"])
def test_the_definition_is_within_a_thousandth_of_the_reference_kernel(kind: str) -> None:
    tflite_runtime = pytest.importorskip("tflite_runtime.interpreter", reason="pip install tflite-runtime")
    for case in dynamic_cases(kind, COUNT):
        inputs, outputs = case.graph.inputs_of(case.op), case.graph.outputs_of(case.op)
        if inputs[1].q.axis is not None:
            continue
        written = tflite_writers()[kind](case.op, inputs, outputs)
        model = tflite_file(written, inputs[:1], outputs)
        kinds = tflite_runtime.OpResolverType
        live = tflite_runtime.Interpreter(model_content=model, experimental_op_resolver_type=kinds.BUILTIN_REF)
        live.allocate_tensors()
        live.set_tensor(live.get_input_details()[0]["index"], case.inputs[0])
        live.invoke()
        expected, (found,) = live.get_tensor(live.get_output_details()[0]["index"]), case.evaluate()
        assert np.abs(found - expected).max() <= 1e-3 * np.abs(expected).max() + 1e-6
