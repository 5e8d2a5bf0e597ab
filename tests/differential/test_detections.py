"""Files that end in TFLite_Detection_PostProcess, as detectors do, against TensorFlow Lite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from differential.draw import mismatches
from differential.drawn_boxes import DETECTION
from differential.drawn_cases import Case
from differential.drawn_operators import draw
from midge.errors import ModelFileError, UnsupportedModelError
from midge.exporters.tflite_file import tflite_file
from midge.importers.tflite import import_tflite
from midge.interpreter import interpret
from midge.ir.tensor import Array, DType, Quant, Tensor

tflite_runtime = pytest.importorskip("tflite_runtime.interpreter", reason="pip install tflite-runtime")

# The quantization of codes, scores and anchors in a detector of the older kind.
_QUANTS = (Quant.per_tensor(0.07, 130), Quant.per_tensor(1 / 256, 0), Quant.per_tensor(0.006, 3))


def _reference(model: bytes, values: tuple[Array, ...]) -> list[Array]:
    interpreter = tflite_runtime.Interpreter(model_content=model)
    interpreter.allocate_tensors()
    for details, value in zip(interpreter.get_input_details(), values, strict=True):
        interpreter.set_tensor(details["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()]


def _without_shapes(case: Case) -> bytes:
    """The case as a file whose outputs have no shape, as TensorFlow's object detection writes them."""
    outputs = tuple(replace(t, shape=()) for t in case.source.outputs)
    return tflite_file([replace(case.source, outputs=outputs)], case.activations, outputs)


def _compare(model: bytes, values: tuple[Array, ...]) -> None:
    found = interpret(import_tflite(model, "detector"), values)
    expected = _reference(model, values)
    count = int(expected[3][0])
    assert found[3].tolist() == [count]
    for got, want in zip(found[:3], expected[:3], strict=True):
        assert got.shape == want.shape
        assert not mismatches(got[:, :count], want[:, :count])
        assert not got[:, count:].any()


def test_a_detector_whose_outputs_have_no_shape_finds_the_same() -> None:
    rng = np.random.default_rng(3)
    for _ in range(10):
        case = draw(DETECTION, DType.F32, rng)
        _compare(_without_shapes(case), case.values)


def test_a_detector_in_uint8_finds_the_same() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        case = draw(DETECTION, DType.F32, rng)
        inputs = [_quantized(t, quant) for t, quant in zip(case.source.inputs, _QUANTS, strict=True) if t is not None]
        values = tuple(_bytes(v, quant) for v, quant in zip(case.values, _QUANTS, strict=False))
        # No two scores of a class are equal: TFLite's order of such is another.
        scores = rng.permutation(256)[: values[1].size].reshape(values[1].shape).astype(np.uint8)
        case = replace(case, source=replace(case.source, inputs=tuple(inputs)))
        _compare(_without_shapes(case), (values[0], scores))


def _quantized(t: Tensor, quant: Quant) -> Tensor:
    return replace(t, dtype=DType.U8, quant=quant, data=None if t.data is None else _bytes(t.data, quant))


def _bytes(values: Array, quant: Quant) -> Array:
    return np.clip(np.rint(values / quant.scale) + quant.zero_point, 0, 255).astype(np.uint8)


def test_several_classes_for_each_detection_are_refused_in_words() -> None:
    case = draw(DETECTION, DType.F32, np.random.default_rng(5))
    options = {**case.source.attributes, "max_classes_per_detection": 3, "use_regular_nms": False}
    with pytest.raises(UnsupportedModelError, match="several classes for each detection"):
        import_tflite(_without_shapes(replace(case, source=replace(case.source, attributes=options))), "detector")


def test_options_that_lack_a_number_are_refused_in_words() -> None:
    case = draw(DETECTION, DType.F32, np.random.default_rng(6))
    options = {k: v for k, v in case.source.attributes.items() if k != "nms_iou_threshold"}
    with pytest.raises(UnsupportedModelError, match="nms_iou_threshold"):
        import_tflite(_without_shapes(replace(case, source=replace(case.source, attributes=options))), "detector")


def test_options_of_any_bytes_are_told_in_words() -> None:
    case = draw(DETECTION, DType.F32, np.random.default_rng(7))
    model = bytearray(_without_shapes(case))
    at, rng = model.index(b"max_detections"), np.random.default_rng(8)
    for _ in range(60):
        wrong = bytearray(model)
        for place in rng.integers(at - 60, at + 250, 3):
            wrong[place] = int(rng.integers(0, 256))
        try:
            import_tflite(bytes(wrong), "detector")
        except (ModelFileError, UnsupportedModelError) as problem:
            assert problem.hint


def test_a_custom_operator_is_not_taken_for_the_built_in_one_of_its_name() -> None:
    case = draw(DETECTION, DType.F32, np.random.default_rng(9))
    model = _without_shapes(case).replace(DETECTION.encode(), b"ABS".ljust(len(DETECTION), b"\0"))
    with pytest.raises(UnsupportedModelError, match="custom operator"):
        import_tflite(model, "detector")
