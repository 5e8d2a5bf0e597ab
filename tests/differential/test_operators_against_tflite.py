"""Every operator against TensorFlow Lite's reference kernels, on drawn cases."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest

from differential.draw import mismatches
from differential.drawn_boxes import DETECTION
from differential.drawn_cases import Case
from differential.drawn_elementwise import WITHOUT_INT8
from differential.drawn_operators import DRAWS, INT16, INT32, draw
from differential.drawn_sums import OWN_INT8
from midge.exporters.tflite_file import tflite_file
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.ops import readers
from midge.ops.formats import SourceOp
from midge.ops.registry import tflite_writers

tflite_runtime = pytest.importorskip("tflite_runtime.interpreter", reason="pip install tflite-runtime")

_CASES = 30
# The reference resolver lacks operators that have one kernel for all.
_ONE_KERNEL = {"CEIL", "COS", "CUMSUM", "ELU", "FLOOR_MOD", "ROUND", "SIN"}
# What has become a constant before a model is written.
NOT_WRITTEN = {"FILL", "SHAPE", "ZEROS_LIKE"}
_WRITTEN_CASES = 8
# What has an int8 form in TensorFlow Lite, or does the same whatever type is drawn.
INT8 = DRAWS.keys() - WITHOUT_INT8 - OWN_INT8 - {DETECTION}


def _reference(case: Case) -> list[Array]:
    """The outputs of TensorFlow Lite's reference kernel."""
    return _run(tflite_file([case.source], case.activations, case.source.outputs), case)


def _run(model: bytes, case: Case) -> list[Array]:
    kinds = tflite_runtime.OpResolverType
    resolver = kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES if case.source.code in _ONE_KERNEL else kinds.BUILTIN_REF
    interpreter = tflite_runtime.Interpreter(model_content=model, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    for details, value in zip(interpreter.get_input_details(), case.values, strict=True):
        interpreter.set_tensor(details["index"], value)
    interpreter.invoke()
    outputs = [interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()]
    return _without_rest(outputs) if case.source.code == DETECTION else outputs


def _without_rest(outputs: list[Array]) -> list[Array]:
    """What a detector gives, zeros beyond the count, where TFLite leaves what was there."""
    for y in outputs[:3]:
        y[:, int(outputs[3][0]) :] = 0
    return outputs


def _generator(code: str, dtype: DType) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{code} {dtype.value}".encode()))


@pytest.mark.parametrize("code", sorted(INT8))
def test_int8_results_equal_the_reference_kernel_bit_for_bit(code: str) -> None:
    rng = _generator(code, DType.S8)
    for number in range(_CASES):
        case = draw(code, DType.S8, rng)
        for expected, found in zip(_reference(case), case.evaluate(), strict=True):
            np.testing.assert_array_equal(found, expected, err_msg=f"case {number}: {case.op}", strict=True)


@pytest.mark.parametrize("code", INT16)
def test_int16_results_equal_the_reference_kernel_bit_for_bit(code: str) -> None:
    rng = _generator(code, DType.S16)
    for number in range(_CASES):
        case = draw(code, DType.S16, rng)
        for expected, found in zip(_reference(case), case.evaluate(), strict=True):
            np.testing.assert_array_equal(found, expected, err_msg=f"case {number}: {case.op}", strict=True)


@pytest.mark.parametrize("code", INT32)
def test_whole_numbers_equal_the_reference_kernel(code: str) -> None:
    rng = _generator(code, DType.S32)
    for number in range(_CASES):
        case = draw(code, DType.S32, rng)
        for expected, found in zip(_reference(case), case.evaluate(), strict=True):
            np.testing.assert_array_equal(found, expected, err_msg=f"case {number}: {case.op}", strict=True)


@pytest.mark.parametrize("code", ["LOGISTIC", "TANH"])
def test_int16_sigmoids_equal_the_reference_kernel_at_every_value(code: str) -> None:
    every = np.arange(-32768, 32768).astype(np.int16).reshape(1, -1)
    for scale in (2.0**-12, 2.0**-11, 1e-5, 1e-4, 3e-4, 1e-3, 0.01):
        x = Tensor("x", every.shape, DType.S16, Quant.per_tensor(scale, 0))
        y = replace(x, name="y", quant=Quant.per_tensor(2.0**-15, 0))
        source = SourceOp(code, "layer", (x,), (y,), {})
        case = Case(source, readers("TFLITE")[code](source), (every,))
        np.testing.assert_array_equal(case.evaluate()[0], _reference(case)[0], err_msg=str(scale))


@pytest.mark.parametrize("code", sorted(DRAWS.keys() - {"DEQUANTIZE"}))
def test_float_results_are_within_the_tolerance_of_the_reference_kernel(code: str) -> None:
    rng = _generator(code, DType.F32)
    for number in range(_CASES):
        case = draw(code, DType.F32, rng)
        for expected, found in zip(_reference(case), case.evaluate(), strict=True):
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
            assert not mismatches(found, expected), f"case {number}: {case.op}"


WRITTEN = [(code, DType.S8) for code in sorted(INT8 - NOT_WRITTEN)]
WRITTEN += [(code, DType.F32) for code in sorted(DRAWS.keys() - OWN_INT8 - NOT_WRITTEN)]


@pytest.mark.parametrize(("code", "dtype"), WRITTEN)
def test_an_operator_that_was_written_gives_the_same_in_the_reference_kernel(code: str, dtype: DType) -> None:
    rng = _generator(code, dtype)
    for number in range(_WRITTEN_CASES):
        case = draw(code, dtype, rng)
        written = tflite_file(_written(case), case.activations, case.source.outputs)
        for expected, found in zip(_reference(case), _run(written, case), strict=True):
            np.testing.assert_array_equal(found, expected, err_msg=f"case {number}: {case.op}", strict=True)


def _written(case: Case) -> list[SourceOp]:
    return tflite_writers()[case.op.kind](case.op, case.inputs, case.source.outputs)


def test_every_operator_that_a_file_can_have_is_drawn() -> None:
    # What remembers is drawn in test_states.
    assert set(DRAWS) == set(readers("TFLITE")) - {"SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM"}
