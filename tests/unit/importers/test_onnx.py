"""What the ONNX importer makes of small files: sound ones, ones with a fault, and hostile ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from midge.data import load_golden
from midge.errors import ModelFileError, SettingsError, UnsupportedModelError
from midge.importers import import_model
from midge.importers.onnx import import_onnx
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.measure.agreement import agreement
from midge.passes import CANONICALIZE, run_passes
from midge.quantize import fuse_quantization
from unit.importers.onnx_file import node, onnx_file, onnx_model

F32 = np.float32
RNG = np.random.default_rng(7)


def drawn(*shape: int) -> Array:
    return RNG.normal(0, 1, shape).astype(F32)


def kinds(graph: Graph) -> list[str]:
    return [op.kind for op in graph.ops]


def canonical(data: bytes) -> Graph:
    return run_passes(import_onnx(data, "net"), CANONICALIZE)


def assert_equals_reference(model: Any, *inputs: Array) -> Graph:
    """The canonical graph, once it and the imported one give what ONNX's own reference gives."""
    data = model.SerializeToString()
    names = [i.name for i in model.graph.input]
    expected = ReferenceEvaluator(model).run(None, dict(zip(names, inputs, strict=True)))
    imported = import_onnx(data, "net")
    after = run_passes(imported, CANONICALIZE)
    for graph in (imported, after):
        for found, wanted in zip(interpret(graph, list(inputs)), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-4)
    return after


def vision_model() -> Any:
    """Convolution with batch normalization, a residual of two branches, concatenation, pooling, flatten, product."""
    nodes = [
        node("Conv", ["x", "w1"], ["a"], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["a", "s", "b", "m", "v"], ["n"]),
        node("Relu", ["n"], ["r"]),
        node("Conv", ["r", "w2", "b"], ["c"], group=4, auto_pad="SAME_LOWER"),
        node("Add", ["c", "r"], ["sum"]),
        node("Pad", ["sum", "pads"], ["padded"]),
        node("Concat", ["padded", "padded"], ["both"], axis=1),
        node("AveragePool", ["both"], ["p"], kernel_shape=[2, 2], strides=[2, 2], pads=[0, 1, 1, 0]),
        node("ReduceMean", ["p"], ["mean"], axes=[3], keepdims=0),
        node("Flatten", ["mean"], ["f"]),
        node("Gemm", ["f", "g"], ["y"], transB=1),
    ]
    constants = {
        "w1": drawn(4, 3, 3, 3),
        "w2": drawn(4, 1, 3, 3),
        "s": drawn(4),
        "b": drawn(4),
        "m": drawn(4),
        "v": np.abs(drawn(4)) + F32(0.5),
        "pads": np.array([0, 0, 1, 0, 0, 0, 0, 1]),
        "g": drawn(5, 32),
    }
    return onnx_model(nodes, {"x": ["N", 3, 6, 6]}, ["y"], constants)


def test_a_vision_model_keeps_one_transpose_at_its_input_alone() -> None:
    after = assert_equals_reference(vision_model(), drawn(1, 3, 6, 6))
    assert kinds(after)[:3] == ["transpose", "conv2d", "depthwise_conv2d"]
    assert kinds(after).count("transpose") == 1
    assert "mul" not in kinds(after)


def test_dynamic_batch_becomes_one() -> None:
    assert import_onnx(vision_model().SerializeToString(), "net").input_tensors[0].shape == (1, 3, 6, 6)


def test_shapes_computed_from_shapes_are_folded() -> None:
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Constant", [], ["zero"], value_int=0),
        node("Gather", ["shape", "zero"], ["batch"]),
        node("Unsqueeze", ["batch", "axis"], ["batch1"]),
        node("Concat", ["batch1", "minus"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["flat"]),
        node("Identity", ["flat"], ["same"]),
        node("Dropout", ["same"], ["dropped"]),
        node("MatMul", ["dropped", "w"], ["y"]),
    ]
    constants = {"axis": np.array([0]), "minus": np.array([-1]), "w": drawn(24, 3)}
    after = assert_equals_reference(onnx_model(nodes, {"x": [1, 2, 3, 4]}, ["y"], constants), drawn(1, 2, 3, 4))
    assert kinds(after) == ["fully_connected"] or kinds(after) == ["reshape", "fully_connected"]


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pads"), [(6, 3, 2, (0, 1)), (7, 3, 1, (1, 1)), (5, 2, 2, (1, 1))]
)
@pytest.mark.parametrize("mode", ["edge", "wrap"])
def test_edges_repeated_around_a_max_pool_are_its_padding(
    mode: str, size: int, kernel: int, stride: int, pads: tuple[int, int]
) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("Pad", ["c", "pads"], ["p"], mode=mode),
        node("MaxPool", ["p"], ["y"], kernel_shape=[kernel] * 2, strides=[stride] * 2),
    ]
    constants = {"pads": np.array([0, 0, pads[0], pads[0], 0, 0, pads[1], pads[1]]), "w": drawn(2, 2, 1, 1)}
    model = onnx_model(nodes, {"x": [1, 2, size, size]}, ["y"], constants, opset=19)
    after = assert_equals_reference(model, drawn(1, 2, size, size))
    assert ("gather" in kinds(after)) == (mode == "wrap")


def test_a_max_pool_may_be_dilated() -> None:
    options = {"kernel_shape": [2, 3], "dilations": [2, 2], "strides": [1, 2], "pads": [1, 1, 0, 1]}
    model = onnx_model([node("MaxPool", ["x"], ["y"], **options)], {"x": [1, 2, 7, 9]}, ["y"])
    after = assert_equals_reference(model, drawn(1, 2, 7, 9))
    assert "max_pool2d" in kinds(after)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_indices_may_be_computed(axis: int) -> None:
    nodes = [
        node("ArgMax", ["x"], ["i"], axis=1, keepdims=0),
        node("Gather", ["table", "i"], ["y"], axis=axis),
    ]
    model = onnx_model(nodes, {"x": [2, 3]}, ["y"], {"table": drawn(3, 4, 5)})
    after = assert_equals_reference(model, drawn(2, 3))
    assert kinds(after) == ["arg_max", "take"]


@pytest.mark.parametrize("ceil", [0, 1])
@pytest.mark.parametrize("include", [0, 1])
@pytest.mark.parametrize("size", [7, 8])
def test_average_pooling_counts_padding_as_the_file_says(ceil: int, include: int, size: int) -> None:
    options = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    nodes = [node("AveragePool", ["x"], ["y"], ceil_mode=ceil, count_include_pad=include, **options)]
    assert_equals_reference(onnx_model(nodes, {"x": [1, 2, size, size]}, ["y"], opset=19), drawn(1, 2, size, size))


def test_one_dimension_is_two_with_height_one() -> None:
    nodes = [
        node("Conv", ["x", "w", "b"], ["c"], dilations=[2], strides=[2], pads=[1, 3], group=2),
        node("Relu", ["c"], ["r"]),
        node("MaxPool", ["r"], ["p"], kernel_shape=[2], strides=[1]),
        node("Conv", ["p", "w2"], ["y"]),
    ]
    constants = {"w": drawn(6, 2, 3), "b": drawn(6), "w2": drawn(3, 6, 1)}
    after = assert_equals_reference(onnx_model(nodes, {"x": [1, 4, 20]}, ["y"], constants), drawn(1, 4, 20))
    assert kinds(after).count("transpose") == 2


@pytest.mark.parametrize("opset", [11, 12, 13, 17])
def test_softmax_means_what_its_opset_says(opset: int) -> None:
    nodes = [node("Softmax", ["x"], ["y"], axis=1)]
    found = interpret(import_onnx(onnx_file(nodes, {"x": [2, 3, 4]}, ["y"], opset=opset), "net"), [drawn(2, 3, 4)])[0]
    np.testing.assert_allclose(found.sum(axis=1 if opset >= 13 else (1, 2)), 1, rtol=1e-5)


def test_quantization_rounds_halves_to_even() -> None:
    nodes = [
        node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        node("Transpose", ["q"], ["t"]),
        node("DequantizeLinear", ["t", "scale", "zero"], ["y"]),
    ]
    constants = {"scale": F32(0.5), "zero": np.uint8(3)}
    x = np.array([[0.25, 0.75, 1.25], [-0.25, 500, -500]], F32)
    assert_equals_reference(onnx_model(nodes, {"x": [2, 3]}, ["y"], constants, opset=19), x)


@pytest.mark.parametrize("per_channel", [False, True])
def test_qlinear_operators_mean_dequantize_compute_quantize(per_channel: bool) -> None:
    scales, zeros = (RNG.uniform(0.01, 0.03, 4).astype(F32), np.zeros(4, np.int8))
    constants = {
        **{"s1": F32(0.02), "z1": np.int8(3), "s2": F32(0.1), "z2": np.int8(-7), "s3": F32(0.2), "z3": np.int8(0)},
        "w": RNG.integers(-127, 128, (4, 2, 3, 3)).astype(np.int8),
        "ws": scales if per_channel else scales[0],
        "wz": zeros if per_channel else zeros[0],
        "b": RNG.integers(-1000, 1000, 4).astype(np.int32),
        "target": np.array([1, -1]),
        "m": RNG.integers(-127, 128, (64, 3)).astype(np.int8),
    }
    nodes = [
        node("QuantizeLinear", ["x", "s1", "z1"], ["q"]),
        node("QLinearConv", ["q", "s1", "z1", "w", "ws", "wz", "s2", "z2", "b"], ["c"], pads=[1, 1, 1, 1]),
        node("Reshape", ["c", "target"], ["f"]),
        node("QLinearMatMul", ["f", "s2", "z2", "m", "s1", "z3", "s3", "z3"], ["p"]),
        node("DequantizeLinear", ["p", "s3", "z3"], ["y"]),
    ]
    graph = canonical(onnx_file(nodes, {"x": [1, 2, 4, 4]}, ["y"], constants, opset=19))
    x = drawn(1, 2, 4, 4)
    real = (np.clip(np.rint(x / F32(0.02)) + 3, -128, 127) - 3) * F32(0.02)
    weights = constants["w"] * np.reshape(constants["ws"], (-1, 1, 1, 1) if per_channel else ())
    padded = np.pad(real, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded[0], (3, 3), axis=(1, 2))
    bias = constants["b"] * F32(0.02) * constants["ws"]
    sums = np.einsum("chwij,ocij->ohw", windows, weights) + np.reshape(bias, (-1, 1, 1))
    conv = (np.clip(np.rint(sums / 0.1) - 7, -128, 127) + 7) * 0.1
    product = conv.reshape(1, -1) @ (constants["m"] * 0.02)
    expected = np.clip(np.rint(product / 0.2), -128, 127) * 0.2
    np.testing.assert_allclose(interpret(graph, [x])[0], expected, atol=0.21)
    fused = fuse_quantization(graph)
    assert {op.kind for op in fused.ops if fused.outputs_of(op)[0].dtype.value == "float32"} == {"dequantize"}


@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize(
    ("code", "gates", "options"),
    [
        ("LSTM", 4, {}),
        ("GRU", 3, {}),
        ("GRU", 3, {"linear_before_reset": 1}),
        ("RNN", 1, {}),
    ],
)
def test_recurrent_operators_are_unrolled(code: str, gates: int, options: dict[str, int], start: bool) -> None:
    steps, batch, size, hidden = 4, 2, 3, 5
    constants = {
        "w": drawn(1, gates * hidden, size),
        "r": drawn(1, gates * hidden, hidden),
        "b": drawn(1, 2 * gates * hidden),
    }
    inputs: dict[str, list[int | str]] = {"x": [steps, batch, size]}
    if start:
        inputs["h"] = [1, batch, hidden]
    names = ["x", "w", "r", "b", "", "h"] if start else ["x", "w", "r", "b"]
    nodes = [node(code, names, ["y", "y_h"], hidden_size=hidden, **options)]
    model = onnx_model(nodes, inputs, ["y", "y_h"], constants)
    assert_equals_reference(model, *(drawn(*map(int, shape)) for shape in inputs.values()))


def test_a_recorded_lstm_gives_its_outputs(assets: Path) -> None:
    """The file leaves the number of steps open; its recorded calls have seven."""
    model = onnx.load(assets / "models/onnx/lstm_k1.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 7
    graph = canonical(model.SerializeToString())
    calls = load_golden(assets / "models/onnx/lstm_k1.npz", graph)
    assert calls
    for inputs, outputs in calls:
        assert agreement(interpret(graph, inputs), outputs).mismatches == 0


def test_weights_outside_the_file_are_read_from_its_folder(tmp_path: Path) -> None:
    path = write_external(tmp_path, "weights.bin")
    x = drawn(1, 4)
    found = interpret(import_model(path).graph, [x])[0]
    np.testing.assert_allclose(found, x @ np.arange(8, dtype=F32).reshape(4, 2), rtol=1e-5)


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "", "none.bin", "..", "link.bin"])
def test_weights_outside_the_folder_are_refused(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(32))
    (folder / "link.bin").symlink_to(tmp_path / "weights.bin")
    with pytest.raises(ModelFileError, match=r"outside the model's folder|no file beside|cannot be read"):
        import_model(write_external(folder, location))


def test_weights_longer_than_their_file_are_refused(tmp_path: Path) -> None:
    path = write_external(tmp_path, "weights.bin")
    (tmp_path / "weights.bin").write_bytes(bytes(31))
    with pytest.raises(ModelFileError, match="which has 31"):
        import_model(path)


def write_external(folder: Path, location: str) -> Path:
    model = onnx_model([node("MatMul", ["x", "w"], ["y"])], {"x": [1, 4]}, ["y"])
    weights = model.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, dims=[4, 2])
    weights.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "32")):
        weights.external_data.add(key=key, value=value)
    if location == "weights.bin":
        (folder / location).write_bytes(np.arange(8, dtype=F32).tobytes())
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_all_unsupported_places_are_named_at_once() -> None:
    nodes = [
        node("Frobnicate", ["x"], ["a"]),
        node("Relu", ["a"], ["b"]),
        node("Twist", ["b"], ["c"]),
        node("Frobnicate", ["c"], ["d"], name="again"),
        node("Einsum", ["x"], ["e"], equation="ij->ji"),
        node("Twist", ["e"], ["y"], domain="my.domain"),
    ]
    with pytest.raises(UnsupportedModelError) as caught:
        import_onnx(onnx_file(nodes, {"x": [1, 4]}, ["y", "d"]), "net")
    for word in ("5 places", "Frobnicate: a, again", "Twist: c", "Einsum: e", "my.domain.Twist: y"):
        assert word in caught.value.message


@pytest.mark.parametrize(
    ("nodes", "constants", "reason"),
    [
        ([node("Relu", ["z"], ["y"])], {}, "before anything writes"),
        ([node("Relu", ["b"], ["a"]), node("Relu", ["a"], ["b"])], {}, "before anything writes"),
        ([node("Relu", ["x"], ["y"]), node("Relu", ["x"], ["y"])], {}, "written twice"),
        ([node("Relu", ["x"], ["x"])], {}, "written twice"),
        ([node("Conv", ["x", "w"], ["y"])], {"w": np.ones((1, 1, 1, 1), F32)}, "over 2|go together|dimensions"),
        ([node("Expand", ["one", "huge"], ["y"])], {"one": F32(1), "huge": np.full(6, 1 << 20)}, "elements"),
        ([node("ConstantOfShape", ["huge"], ["y"])], {"huge": np.full(6, 1 << 20)}, "elements"),
        ([node("Range", ["a", "b", "c"], ["y"])], {"a": F32(0), "b": F32(1e30), "c": F32(1)}, "elements"),
        ([node("Gather", ["one", "two"], ["y"])], {"one": np.ones(2, F32), "two": np.array(7)}, "cannot be"),
        ([], {}, "no operators"),
    ],
)
def test_a_model_that_contradicts_itself_is_damaged(nodes: list[Any], constants: dict[str, Any], reason: str) -> None:
    with pytest.raises((ModelFileError, UnsupportedModelError), match=reason):
        import_onnx(onnx_file(nodes, {"x": [1, 3, 4, 4]}, ["y"], constants), "net")


def test_open_dimensions_are_those_that_the_caller_says() -> None:
    data = onnx_file([node("Relu", ["x"], ["y"])], {"x": ["N", "L", 3]}, ["y"])
    assert import_onnx(data, "net", shapes={"x": (2, 5, 3)}).input_tensors[0].shape == (2, 5, 3)
    for shape, words in (((1, 5, 4), "contradicts"), ((1, 5), "contradicts"), ((1, 0, 3), "no shape")):
        with pytest.raises(SettingsError, match=words):
            import_onnx(data, "net", shapes={"x": shape})
    with pytest.raises(SettingsError, match="no input z") as caught:
        import_onnx(data, "net", shapes={"z": (1,)})
    assert caught.value.hint == "its inputs are x"


def test_an_output_that_is_an_input_is_copied() -> None:
    graph = canonical(onnx_file([node("Identity", ["x"], ["y"])], {"x": [1, 3]}, ["y"]))
    x = drawn(1, 3)
    np.testing.assert_array_equal(interpret(graph, [x])[0], x)


def test_an_opset_of_the_future_says_to_update() -> None:
    with pytest.raises(UnsupportedModelError, match="opset 999") as caught:
        import_onnx(onnx_file([node("Relu", ["x"], ["y"])], {"x": [1]}, ["y"], opset=999), "net")
    assert "upgrade" in caught.value.hint


@pytest.mark.parametrize(("kind", "dtype"), [(TensorProto.INT8, np.int8), (TensorProto.UINT8, np.uint8)])
def test_integers_without_scales_wrap(kind: int, dtype: type[np.generic]) -> None:
    values = np.array([0, 1, 100, 200, 255], np.uint8).view(dtype)
    for code, function in (("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply), ("Max", np.maximum)):
        data = onnx_file([node(code, ["x", "z"], ["y"])], {"x": [5], "z": [5]}, ["y"], kind=kind)
        (found,) = interpret(import_onnx(data, "net"), (values, values[::-1].copy()))
        np.testing.assert_array_equal(found, function(values, values[::-1]), strict=True)


def test_the_larger_of_int32_values_is_exact() -> None:
    data = onnx_file([node("Max", ["x", "z"], ["y"])], {"x": [3], "z": [3]}, ["y"], kind=TensorProto.INT32)
    x, z = np.array([2**31 - 1, -(2**31), 5], np.int32), np.array([2**31 - 2, 2**31 - 1, 5], np.int32)
    (found,) = interpret(import_onnx(data, "net"), (x, z))
    np.testing.assert_array_equal(found, np.maximum(x, z), strict=True)


_FUNCTIONS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("Ceil", {}, {}),
    ("Celu", {"alpha": 1.7}, {}),
    ("Cos", {}, {}),
    ("CumSum", {"exclusive": 1, "reverse": 1}, {"axis": np.int64(-2)}),
    ("Floor", {}, {}),
    ("GatherND", {}, {"at": np.array([[0, 1, -1], [1, 0, 2]])}),
    ("GroupNormalization", {"num_groups": 2, "epsilon": 1e-3}, {"scale": drawn(4), "bias": drawn(4)}),
    ("InstanceNormalization", {}, {"scale": drawn(4), "bias": drawn(4)}),
    ("Mean", {}, {"z": drawn(4, 3, 1)}),
    ("ReduceLogSumExp", {"keepdims": 0}, {"axes": np.array([1, -1])}),
    ("Round", {}, {}),
    ("Sin", {}, {}),
    ("Softsign", {}, {}),
    ("Tan", {}, {}),
]


@pytest.mark.parametrize(("code", "options", "constants"), _FUNCTIONS, ids=[code for code, _, _ in _FUNCTIONS])
def test_functions_made_of_others_give_what_the_reference_gives(
    code: str, options: dict[str, Any], constants: dict[str, Any]
) -> None:
    call = node(code, ["x", *constants], ["y"], **options)
    model = onnx_model([call], {"x": [2, 4, 3, 5]}, ["y"], constants, opset=21)
    assert_equals_reference(model, np.round(drawn(2, 4, 3, 5) * 4) / F32(2.0) if code == "Round" else drawn(2, 4, 3, 5))


def test_a_logarithm_of_a_sum_is_that() -> None:
    model = onnx_model([node("ReduceLogSum", ["x", "axes"], ["y"])], {"x": [3, 4]}, ["y"], {"axes": np.array([0])}, 18)
    assert_equals_reference(model, np.abs(drawn(3, 4)) + F32(0.1))


def test_one_of_two_truths_alone_is_told() -> None:
    model = onnx_model([node("Xor", ["x", "z"], ["y"])], {"x": [4], "z": [4]}, ["y"], kind=TensorProto.BOOL)
    assert_equals_reference(model, np.array([0, 0, 1, 1], bool), np.array([0, 1, 0, 1], bool))


@pytest.mark.parametrize("fmod", [0, 1])
def test_a_remainder_has_the_sign_of_the_divisor_or_with_fmod_of_the_dividend(fmod: int) -> None:
    model = onnx_model([node("Mod", ["x", "z"], ["y"], fmod=fmod)], {"x": [6], "z": [6]}, ["y"], kind=TensorProto.INT32)
    assert_equals_reference(model, np.array([7, -7, 7, -7, 6, 0], np.int32), np.array([3, 3, -3, -3, 2, 5], np.int32))


def test_whole_numbers_of_64_bits_are_computed_in_32() -> None:
    nodes = [
        node("Add", ["x", "one"], ["a"]),
        node("Mul", ["a", "x"], ["m"]),
        node("Max", ["m", "x"], ["larger"]),
        node("Greater", ["larger", "ten"], ["above"]),
        node("Where", ["above", "larger", "ten"], ["y"]),
    ]
    constants = {"one": np.int64(1), "ten": np.array([10])}
    data = onnx_file(nodes, {"x": [4]}, ["y"], constants, kind=TensorProto.INT64)
    (found,) = interpret(import_onnx(data, "net"), [np.array([-5, 0, 2, 9])])
    np.testing.assert_array_equal(found, np.array([20, 10, 10, 90], np.int32), strict=True)


def test_a_constant_beyond_int32_is_refused_in_words() -> None:
    data = onnx_file(
        [node("Add", ["x", "z"], ["y"])], {"x": [1]}, ["y"], {"z": np.int64(1 << 40)}, kind=TensorProto.INT64
    )
    with pytest.raises(UnsupportedModelError, match="beyond int32"):
        import_onnx(data, "net")


def test_other_arithmetic_of_integers_without_scales_is_refused() -> None:
    data = onnx_file([node("Exp", ["x"], ["y"])], {"x": [3]}, ["y"], kind=TensorProto.INT8)
    with pytest.raises(UnsupportedModelError, match="int8"):
        import_onnx(data, "net")


def test_garbage_behind_a_header_is_damaged() -> None:
    with pytest.raises(ModelFileError):
        import_onnx(b"\x08\x08\x12\x07garbage\x3a\xff\xff\xff", "net")
