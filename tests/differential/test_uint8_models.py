"""Models of the older uint8 quantization against TensorFlow Lite's reference kernels, on drawn cases."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from differential.draw_tensors import Case as GraphCase
from differential.drawn_boxes import DETECTION
from differential.drawn_cases import Case, Rng
from differential.drawn_operators import draw
from differential.programs import SANITIZED, WARNINGS, compile_files, run_cases, write_case, write_main
from midge.errors import UnsupportedModelError
from midge.exporters.tflite import export_tflite
from midge.exporters.tflite_file import tflite_file
from midge.importers import Imported
from midge.importers.tflite import import_tflite
from midge.interpreter import interpret
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.ops.registry import uint8_forms
from midge.pipeline import compile_model
from midge.settings import Settings

tflite_runtime = pytest.importorskip("tflite_runtime.interpreter", reason="pip install tflite-runtime")

_CASES = 30
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def _unsigned(t: Tensor) -> Tensor:
    """The same real values in uint8."""
    if t.dtype is not DType.S8:
        return t
    data = None if t.data is None else (t.data.astype(np.int16) + 128).astype(np.uint8)
    quant = replace(t.q, zero_points=tuple(z + 128 for z in t.q.zero_points))
    return replace(t, dtype=DType.U8, quant=quant, data=data)


def _drawn(code: str, rng: Rng) -> tuple[bytes, list[Array]]:
    """A file of one operator in uint8, and values for its inputs."""
    drawn: Case = draw(code, DType.S8, rng)
    while code == "CONV_2D" and drawn.inputs[0].shape[3] != drawn.inputs[1].shape[3]:
        drawn = draw(code, DType.S8, rng)
    inputs = [t and _unsigned(t) for t in drawn.source.inputs]
    if code in _WEIGHTED:
        weights = inputs[1]
        assert weights is not None
        zero_point = int(rng.choice([0, 255, 128, *rng.integers(0, 256, 5)]))
        inputs[1] = replace(weights, quant=Quant.per_tensor(weights.q.scale, zero_point))
        if len(inputs) > 2 and (bias := inputs[2]) is not None:
            x = inputs[0]
            assert x is not None
            inputs[2] = replace(bias, quant=Quant.per_tensor(x.q.scale * weights.q.scale, 0))
    source = replace(drawn.source, inputs=tuple(inputs), outputs=tuple(map(_unsigned, drawn.source.outputs)))
    found = replace(drawn, source=source)
    values = [v.view(np.uint8) ^ np.uint8(128) if v.dtype == np.int8 else v for v in map(np.asarray, drawn.values)]
    values = [np.asarray(v) for v in values]
    return tflite_file([source], found.activations, source.outputs), values


def _reference(model: bytes, values: list[Array]) -> list[Array]:
    interpreter = tflite_runtime.Interpreter(
        model_content=model, experimental_op_resolver_type=tflite_runtime.OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    for details, value in zip(interpreter.get_input_details(), values, strict=True):
        interpreter.set_tensor(details["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()]


# Detectors give floats: tests/differential/test_detections.py.
@pytest.mark.parametrize("code", sorted(uint8_forms().keys() - {DETECTION}))
def test_uint8_results_equal_the_reference_kernel_bit_for_bit(code: str) -> None:
    rng = np.random.default_rng(zlib.crc32(code.encode()))
    for number in range(_CASES):
        model, values = _drawn(code, rng)
        found = interpret(import_tflite(model, "drawn"), values)
        for expected, got in zip(_reference(model, values), found, strict=True):
            np.testing.assert_array_equal(got, expected, err_msg=f"case {number}", strict=True)


def test_uint8_models_as_c_equal_the_reference_kernel_bit_for_bit(tmp_path: Path) -> None:
    rendered, wanted = [], []
    rng = np.random.default_rng(8)
    for code in (*_WEIGHTED, "AVERAGE_POOL_2D", "ADD", "SOFTMAX"):
        for _ in range(4):
            model, values = _drawn(code, rng)
            graph = import_tflite(model, f"case{len(rendered)}")
            compiled = compile_model(Imported(graph, Path("a.tflite"), "0" * 64, "tflite"), Settings())
            rendered.append(write_case(GraphCase(compiled.graph, tuple(values)), compiled.program, tmp_path))
            wanted.append(_reference(model, values))
    write_main(rendered, tmp_path)
    executable = tmp_path / "cases"
    compile_files([*SANITIZED, *WARNINGS, "main.c", "cases.c", "-o", str(executable)], tmp_path)
    for got, want in zip(run_cases(executable, rendered), wanted, strict=True):
        np.testing.assert_array_equal(got[0], want[0].reshape(got[0].shape))


def test_an_operator_that_computes_otherwise_on_uint8_is_refused_in_words() -> None:
    model, _ = _drawn("BATCH_MATMUL", np.random.default_rng(1))
    with pytest.raises(UnsupportedModelError, match="uint8"):
        import_tflite(model, "drawn")


def test_a_uint8_model_keeps_its_bytes_at_both_ends_and_is_not_written_as_another() -> None:
    model, _ = _drawn("AVERAGE_POOL_2D", np.random.default_rng(2))
    graph = import_tflite(model, "drawn")
    assert {t.dtype for t in (*graph.input_tensors, *graph.output_tensors)} == {DType.U8}
    with pytest.raises(UnsupportedModelError, match="rounds halves up"):
        export_tflite(graph)
