"""What import_tflite makes of small files written for the purpose: sound ones, unsupported ones, contradictory ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.TensorType import TensorType

from midge.errors import MidgeError, ModelFileError, UnsupportedModelError
from midge.importers.tflite import import_tflite, tensor_names
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import DType, Quant
from midge.passes.float_weights import float_weights
from unit.importers.model_file import ModelSpec, OpSpec, TensorSpec, model_file

X = TensorSpec("x", (1, 4))
Y = TensorSpec("model/act/Relu", (1, 4))
RELU = OpSpec(BuiltinOperator.RELU, (0,), (1,))
SIMPLE = ModelSpec((X, Y), (RELU,))

WEIGHTS = np.arange(12, dtype=np.int8).reshape(3, 4)
DENSE = ModelSpec(
    (
        TensorSpec("in", (1, 4), TensorType.INT8, None, (0.5,), (3,)),
        TensorSpec("model/dense/MatMul;model/dense/BiasAdd", (1, 3), TensorType.INT8, None, (0.25,), (-7,)),
        TensorSpec("w", (3, 4), TensorType.INT8, WEIGHTS.tobytes(), (0.1, 0.2, 0.3), (0, 0, 0)),
        TensorSpec("b", (3,), TensorType.INT32, np.array([1, -2, 3], "<i4").tobytes(), (0.05, 0.1, 0.15), (0, 0, 0)),
    ),
    (OpSpec(BuiltinOperator.FULLY_CONNECTED, (0, 2, 3), (1,), BuiltinOptions.FullyConnectedOptions),),
)


def read(spec: ModelSpec) -> Graph:
    return import_tflite(model_file(spec), "net")


def with_tensor(spec: ModelSpec, index: int, **changes: object) -> ModelSpec:
    tensors = list(spec.tensors)
    tensors[index] = replace(tensors[index], **changes)  # type: ignore[arg-type]
    return replace(spec, tensors=tuple(tensors))


def with_op(spec: ModelSpec, **changes: object) -> ModelSpec:
    return replace(spec, ops=(replace(spec.ops[0], **changes), *spec.ops[1:]))  # type: ignore[arg-type]


def test_tensors_arrive_with_shape_type_quantization_and_value() -> None:
    graph = read(DENSE)
    assert (graph.inputs, graph.outputs) == (("in",), ("model/dense/MatMul;model/dense/BiasAdd",))
    assert graph.tensors["in"].quant == Quant.per_tensor(0.5, 3)
    weights = graph.tensors["w"]
    assert weights.dtype is DType.S8
    np.testing.assert_array_equal(weights.data, WEIGHTS)
    assert weights.quant == Quant(tuple(float(np.float32(s)) for s in (0.1, 0.2, 0.3)), (0, 0, 0), 0)
    np.testing.assert_array_equal(graph.tensors["b"].data, [1, -2, 3])
    assert [(op.name, op.kind, op.inputs) for op in graph.ops] == [("dense", "fully_connected", ("in", "w", "b"))]


def test_an_absent_optional_input_is_left_out() -> None:
    graph = read(with_op(DENSE, inputs=(0, 2, -1)))
    assert graph.ops[0].inputs == ("in", "w")
    assert "b" not in graph.tensors


def test_a_bias_may_carry_the_axis_of_its_weights() -> None:
    assert read(with_tensor(DENSE, 3, axis=3)).tensors["b"].quant.axis == 0  # type: ignore[union-attr]


def test_a_code_is_the_larger_of_the_old_field_and_the_new() -> None:
    assert read(with_op(SIMPLE, new_code=0)).ops[0].kind == read(with_op(SIMPLE, old_code=0)).ops[0].kind == "relu"


def test_names_are_unique_safe_and_never_empty() -> None:
    spec = replace(SIMPLE, tensors=(replace(X, name=""), replace(Y, name="*/\x1b[31m\n"), replace(X, name="tensor_0")))
    assert tensor_names(model_file(spec), "net") == ("tensor_0", "_/__31m_", "tensor_0_2")


def test_constants_that_only_say_a_shape_do_not_stay() -> None:
    shape = TensorSpec("shape", (2,), TensorType.INT32, np.array([2, 2], "<i4").tobytes())
    spec = ModelSpec((X, replace(Y, shape=(2, 2)), shape), (OpSpec(BuiltinOperator.RESHAPE, (0, 2), (1,)),))
    assert set(read(spec).tensors) == {"x", "model/act/Relu"}


def test_unused_tensors_may_be_anything_and_are_dropped() -> None:
    graph = read(replace(SIMPLE, tensors=(X, Y, TensorSpec("junk", (0, -5), TensorType.STRING))))
    assert set(graph.tensors) == {"x", "model/act/Relu"}


def test_an_input_may_be_an_output_too() -> None:
    assert read(replace(SIMPLE, outputs=(0, 1))).outputs == ("x", "model/act/Relu")


def test_one_error_lists_every_layer_that_cannot_be_done_with_reason_and_remedy() -> None:
    tensors = tuple(TensorSpec(name, (1, 4)) for name in ("x", "a/one/BiasAdd", "a/two", "a/three", "a/four", "y"))
    ops = (
        OpSpec(BuiltinOperator.ATAN2, (0,), (1,)),
        OpSpec(BuiltinOperator.RELU, (1,), (2,)),
        OpSpec(BuiltinOperator.CUSTOM, (2,), (3,), custom="MyOp"),
        OpSpec(BuiltinOperator.CUSTOM, (3,), (4,), custom="FlexErf"),
        OpSpec(30000, (4,), (5,)),
    )
    with pytest.raises(UnsupportedModelError) as caught:
        read(ModelSpec(tensors, ops, (0,), (5,)))
    message = str(caught.value)
    for words in (
        "ATAN2: one",
        "custom operator MyOp",
        "three",
        "TensorFlow operator Erf",
        "four",
        "number 30000",
        "RELU",
    ):
        assert words in message
    assert "in 4 places" in message
    assert message.count("->") == 4


def test_a_float_layer_with_int8_weights_is_of_dynamic_range_and_can_be_made_float() -> None:
    spec = with_tensor(with_tensor(DENSE, 0, type=0, scales=()), 1, type=0, scales=())
    graph = read(with_tensor(spec, 3, type=0, scales=(), data=np.array([1, -2, 3], "<f4").tobytes()))
    x = np.array([[1, 2, 3, 4]], np.float32)
    weights = WEIGHTS.astype(np.float64).reshape(3, 4) * np.array([[0.1], [0.2], [0.3]])
    assert [op.kind for op in graph.ops] == ["fully_connected"]
    np.testing.assert_allclose(interpret(graph, [x])[0], x @ weights.T + [1, -2, 3], rtol=0.02)
    np.testing.assert_allclose(interpret(float_weights(graph), [x])[0], x @ weights.T + [1, -2, 3], rtol=1e-5)


def test_kinds_of_quantization_that_midge_lacks_are_explained_once_each() -> None:
    sixteen = replace(
        SIMPLE, tensors=tuple(replace(t, type=TensorType.INT16, scales=(1.0,), zero_points=(9,)) for t in (X, Y))
    )
    eight = replace(
        with_op(SIMPLE, code=BuiltinOperator.L2_NORMALIZATION),
        tensors=tuple(replace(t, type=TensorType.UINT8, scales=(1.0,), zero_points=(9,)) for t in (X, Y)),
    )
    half = with_tensor(with_op(SIMPLE, code=BuiltinOperator.DEQUANTIZE), 0, type=TensorType.FLOAT16)
    for spec, words in ((sixteen, "int16 with the zero point 9"), (eight, "uint8"), (half, "float16")):
        with pytest.raises(UnsupportedModelError, match=words):
            read(spec)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (with_tensor(SIMPLE, 0, shape=(1, 0)), "every dimension must be at least 1"),
        (with_tensor(SIMPLE, 0, shape=(1, -4)), "every dimension must be at least 1"),
        (with_tensor(SIMPLE, 0, shape=(1 << 14, 1 << 14)), "more than"),
        (with_tensor(SIMPLE, 0, shape=(1,) * 9), "9 entries"),
        (with_tensor(SIMPLE, 1, shape=(1, 5)), "the file says"),
        (with_tensor(SIMPLE, 0, type=99), "unknown type 99"),
        (with_tensor(SIMPLE, 0, data=bytes(15)), "15 bytes"),
        (with_tensor(SIMPLE, 0, data=b"\x00\x00\xc0\x7f" * 4), "not finite"),
        (with_tensor(DENSE, 1, data=bytes(3)), "is a constant"),
        (with_tensor(DENSE, 0, scales=(float("nan"),)), "scale of nan"),
        (with_tensor(DENSE, 0, scales=(float("inf"),)), "scale of inf"),
        (with_tensor(DENSE, 0, scales=(-0.5,)), "scale of -0.5"),
        (with_tensor(DENSE, 0, zero_points=(128,)), "zero point 128"),
        (with_tensor(DENSE, 0, zero_points=(1, 2)), "1 scales and 2 zero points"),
        (with_tensor(DENSE, 2, axis=1), "3 scales along axis 1"),
        (with_tensor(DENSE, 2, axis=-1), "3 scales along axis -1"),
        (with_op(SIMPLE, inputs=(7,)), "no tensor 7"),
        (with_op(SIMPLE, inputs=(-2,)), "no tensor -2"),
        (with_op(SIMPLE, inputs=(1,)), "before anything writes it"),
        (with_op(SIMPLE, old_code=-3), "negative"),
        (with_op(SIMPLE, options_type=0, outputs=()), "cannot be|gives the shapes"),
        (replace(SIMPLE, ops=(RELU, RELU)), "already has a value"),
        (replace(SIMPLE, ops=()), "no operators"),
        (replace(SIMPLE, inputs=()), "no input"),
        (replace(SIMPLE, outputs=()), "no output"),
        (replace(SIMPLE, inputs=(0, 0)), "twice"),
        (replace(SIMPLE, outputs=(5,)), "no tensor 5"),
        (replace(SIMPLE, tensors=(X, Y, X), outputs=(2,)), "nothing writes the output"),
        (replace(SIMPLE, version=4), "schema version 4"),
    ],
)
def test_a_contradiction_is_a_clear_error(spec: ModelSpec, words: str) -> None:
    with pytest.raises((ModelFileError, UnsupportedModelError), match=words) as caught:
        read(spec)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (with_tensor(DENSE, 0, scales=(0.0,)), "scale of 0"),
        (with_tensor(SIMPLE, 0, variable=True), "a variable"),
        (replace(SIMPLE, tensors=(X, Y, replace(X, data=bytes(16))), outputs=(1, 2)), "is a constant"),
    ],
)
def test_what_is_sound_but_not_done_is_unsupported(spec: ModelSpec, words: str) -> None:
    with pytest.raises(UnsupportedModelError, match=words):
        read(spec)


CONV_OPTIONS = (("StrideH", 1), ("StrideW", 1), ("DilationHFactor", 1), ("DilationWFactor", 1), ("Padding", 0))


def conv(**options: float) -> ModelSpec:
    """A 3x3 convolution of 8x8, SAME, with some options changed."""
    weights = TensorSpec("w", (1, 3, 3, 1), data=np.ones(9, "<f4").tobytes())
    chosen = tuple((name, options.get(name, value)) for name, value in CONV_OPTIONS)
    op = OpSpec(BuiltinOperator.CONV_2D, (0, 2), (1,), BuiltinOptions.Conv2DOptions, chosen)
    return ModelSpec((TensorSpec("x", (1, 8, 8, 1)), TensorSpec("y", (1, 8, 8, 1)), weights), (op,))


def test_options_reach_the_operator_under_the_names_of_the_schema() -> None:
    op = read(conv(DilationHFactor=2)).ops[0]
    assert (op.dilation, op.padding) == ((2, 1), ((2, 2), (1, 1)))  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [0, -1, -(1 << 31), (1 << 31) - 1])
@pytest.mark.parametrize("name", ["StrideH", "StrideW", "DilationHFactor", "DilationWFactor"])
def test_absurd_strides_and_dilations_are_errors_and_allocate_nothing(name: str, value: int) -> None:
    with pytest.raises(MidgeError) as caught:
        read(conv(**{name: value}))
    assert isinstance(caught.value, (ModelFileError, UnsupportedModelError))


def test_missing_options_are_an_error() -> None:
    with pytest.raises((ModelFileError, UnsupportedModelError), match="option StrideH is missing"):
        read(with_op(conv(), options_type=0))


def test_an_option_that_is_not_a_number_is_an_error() -> None:
    beta = (("Beta", float("nan")),)
    spec = with_op(SIMPLE, code=BuiltinOperator.SOFTMAX, options_type=BuiltinOptions.SoftmaxOptions, options=beta)
    with pytest.raises(ModelFileError, match="Beta is nan"):
        read(spec)


def test_a_network_beyond_any_microcontroller_is_refused() -> None:
    shape = (1, 1 << 26)
    spec = replace(SIMPLE, tensors=(replace(X, shape=shape), replace(Y, shape=shape)))
    with pytest.raises(UnsupportedModelError, match="bytes of activations"):
        read(spec)


def test_absurd_scales_are_refused_before_anything_is_computed() -> None:
    spec = with_tensor(with_tensor(DENSE, 0, scales=(1e30,)), 1, scales=(1e-30,))
    with pytest.raises((ModelFileError, UnsupportedModelError)):
        read(spec)


def test_a_file_of_very_many_operands_is_refused_at_once() -> None:
    op = OpSpec(BuiltinOperator.CONCATENATION, (0,) * 999, (1,), BuiltinOptions.ConcatenationOptions)
    with pytest.raises(ModelFileError, match="more than"):
        read(replace(SIMPLE, ops=(op,) * 101))
