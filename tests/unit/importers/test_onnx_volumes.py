"""ONNX's rarer forms: windows over three dimensions, tensors without elements, outputs that are known beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from midge.errors import UnsupportedModelError
from midge.importers import Imported
from midge.importers.onnx import import_onnx
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.passes import CANONICALIZE, run_passes
from midge.pipeline import compile_model
from midge.quantize.int8_graph import quantize_graph
from midge.quantize.ranges import Range
from midge.settings import Settings
from unit.importers.onnx_file import node, onnx_model
from unit.importers.test_onnx import assert_equals_reference, drawn, kinds


def imported(graph: Graph) -> Imported:
    return Imported(graph, Path("net.onnx"), "0" * 64, "onnx")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"strides": [2, 1, 3], "pads": [1, 0, 1, 0, 1, 1]},
        {"dilations": [2, 1, 2], "strides": [1, 2, 1], "output_padding": [0, 1, 0]},
    ],
)
def test_a_transposed_convolution_of_a_volume_is_two_of_planes(options: dict[str, list[int]]) -> None:
    nodes = [node("ConvTranspose", ["x", "w", "b"], ["y"], **options)]
    graph = assert_equals_reference(
        onnx_model(nodes, {"x": [1, 3, 4, 5, 2]}, ["y"], {"w": drawn(3, 2, 3, 2, 3), "b": drawn(2)}),
        drawn(1, 3, 4, 5, 2),
    )
    assert kinds(graph).count("transpose_conv") == 2


@pytest.mark.parametrize("options", [{}, {"strides": [2, 1, 2], "pads": [1, 0, 1, 0, 1, 1]}, {"ceil_mode": 1}])
def test_the_largest_values_of_a_volume_are_those_of_planes_and_then_of_depth(options: dict[str, Any]) -> None:
    nodes = [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 3, 2], **options)]
    graph = assert_equals_reference(onnx_model(nodes, {"x": [2, 3, 5, 6, 5]}, ["y"]), drawn(2, 3, 5, 6, 5))
    assert kinds(graph).count("max_pool2d") == 2


def places_of_largest(x: Any, options: dict[str, Any], out: tuple[int, ...]) -> Any:
    """By ONNX's definition, window by window: the first of the largest values, counted over the whole input."""
    (high, wide), (down, right) = options.get("strides", [1, 1]), options.get("dilations", [1, 1])
    top, left, *_ = options.get("pads", [0] * 4)
    kernel, size, found = options["kernel_shape"], x.shape[2:], np.zeros(out, np.int32)
    for n, c, i, j in np.ndindex(*out):
        taps = [(i * high - top + a * down, j * wide - left + b * right) for a, b in np.ndindex(*kernel)]
        inside = [(a, b) for a, b in taps if 0 <= a < size[0] and 0 <= b < size[1]]
        a, b = max(inside, key=lambda place: x[n, c, place[0], place[1]])
        place = a + b * size[0] if options.get("storage_order") else a * size[1] + b
        found[n, c, i, j] = (n * x.shape[1] + c) * size[0] * size[1] + place
    return found


@pytest.mark.parametrize("kind", ["float32", "int8"])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_shape": [2, 2]},
        {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 2, 1], "storage_order": 1},
        {"kernel_shape": [3, 3], "dilations": [2, 3], "pads": [3, 2, 2, 4]},
        {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1},
    ],
)
def test_the_places_of_the_largest_values_are_the_first_of_the_whole_input(options: dict[str, Any], kind: str) -> None:
    x = np.random.default_rng(3).integers(-3, 1, (2, 3, 7, 6)).astype(kind)
    given = TensorProto.FLOAT if kind == "float32" else TensorProto.INT8
    model = onnx_model([node("MaxPool", ["x"], ["y", "i"], **options)], {"x": x.shape}, ["y", "i"], kind=given)
    imported = import_onnx(model.SerializeToString(), "net")
    for graph in (imported, run_passes(imported, CANONICALIZE)):
        largest, places = interpret(graph, [x])
        np.testing.assert_array_equal(places, places_of_largest(x, options, largest.shape))
        flat = x.swapaxes(2, 3) if options.get("storage_order") else x
        np.testing.assert_array_equal(flat.reshape(-1)[places], largest)


def test_the_places_along_a_line_count_over_the_whole_input() -> None:
    x = np.random.default_rng(3).integers(-3, 1, (2, 3, 9)).astype(np.float32)
    nodes = [node("MaxPool", ["x"], ["y", "i"], kernel_shape=[3], strides=[2], pads=[1, 1])]
    graph = import_onnx(onnx_model(nodes, {"x": x.shape}, ["y", "i"]).SerializeToString(), "net")
    options = {"kernel_shape": [1, 3], "strides": [1, 2], "pads": [0, 1, 0, 1]}
    places = places_of_largest(x[:, :, None], options, (2, 3, 1, 5))
    np.testing.assert_array_equal(interpret(graph, [x])[1], places[:, :, 0])


@pytest.mark.parametrize(("kind", "low"), [("uint8", 0), ("int8", -128)])
def test_activations_quantized_per_channel_are_the_definition_with_halves_to_even(kind: str, low: int) -> None:
    scales = np.array([0.5, 2.0, 0.1], np.float32)
    zeros = np.array([3, 100, 7]).astype(kind)
    halves = np.arange(-700, 700, dtype=np.float32).reshape(2, 1, 700) / 2
    x = np.concatenate([halves * 0.5, halves * 2, drawn(2, 1, 700) * 20], axis=1)
    nodes = [node("QuantizeLinear", ["x", "s", "z"], ["y"], axis=-2)]
    model = onnx_model(nodes, {"x": x.shape}, ["y"], {"s": scales, "z": zeros})
    wanted = np.rint(x / scales[:, None]).astype(np.int64) + zeros.astype(np.int64)[:, None]
    imported = import_onnx(model.SerializeToString(), "net")
    for graph in (imported, run_passes(imported, CANONICALIZE)):
        (found,) = interpret(graph, [x])
        assert found.dtype == kind
        np.testing.assert_array_equal(found, np.clip(wanted, low, low + 255))


def test_the_places_of_the_largest_values_are_whole_numbers_in_int8_too() -> None:
    nodes = [node("MaxPool", ["x"], ["y", "i"], kernel_shape=[2, 2])]
    pooled = import_onnx(onnx_model(nodes, {"x": [1, 1, 4, 4]}, ["y", "i"]).SerializeToString(), "net")
    made = quantize_graph(pooled, {name: Range(-1.0, 1.0) for name in pooled.tensors})
    x = made.input_tensors[0]
    values = np.random.default_rng(3).permutation(16).reshape(1, 1, 4, 4).astype(np.int8)
    exact = interpret(pooled, [((values - float(x.q.zero_point)) * x.q.scale).astype(np.float32)])
    found = interpret(made, [values])
    np.testing.assert_array_equal(found[1], exact[1], strict=True)


def test_single_values_are_gathered_along_an_axis() -> None:
    places = np.array([[[1, -1, 0, 0]], [[2, 0, -3, 1]]])
    nodes = [node("GatherElements", ["x", "i"], ["y"], axis=1)]
    assert_equals_reference(onnx_model(nodes, {"x": [2, 3, 4]}, ["y"], {"i": places}), drawn(2, 3, 4))


def test_integer_products_are_exact_or_refused() -> None:
    def model(depth: int) -> Any:
        weights = np.random.default_rng(1).integers(-128, 128, (depth, 3)).astype(np.int8)
        nodes = [node("MatMulInteger", ["x", "w", "z"], ["y"])]
        constants = {"w": weights, "z": np.array(-7, np.int8)}
        return onnx_model(nodes, {"x": [2, depth]}, ["y"], constants, kind=TensorProto.INT8)

    x = np.random.default_rng(2).integers(-128, 128, (2, 60)).astype(np.int8)
    assert_equals_reference(model(60), x)
    with pytest.raises(UnsupportedModelError, match="float32 does not hold"):
        import_onnx(model(2000).SerializeToString(), "net")


def test_a_part_of_size_0_is_a_constant_output() -> None:
    nodes = [node("Split", ["x", "sizes"], ["a", "none", "b"], axis=1)]
    model = onnx_model(nodes, {"x": [2, 5]}, ["a", "none", "b"], {"sizes": np.array([2, 0, 3])})
    graph = assert_equals_reference(model, drawn(2, 5))
    assert [t.shape for t in graph.output_tensors] == [(2, 2), (2, 0), (2, 3)]


def test_an_output_that_is_known_beforehand_is_given_from_flash() -> None:
    nodes = [node("Add", ["a", "a"], ["sum"]), node("Relu", ["x"], ["y"])]
    model = onnx_model(nodes, {"x": [1, 3]}, ["y", "sum"], {"a": drawn(2, 2)})
    graph = assert_equals_reference(model, drawn(1, 3))
    assert kinds(graph) == ["constant", "relu"] or kinds(graph) == ["relu", "constant"]
    compiled = compile_model(imported(graph), Settings(precision="as-is"))
    assert compiled.program.outputs[1].elements == 4


def test_what_nothing_is_left_of_compiles_to_a_network_that_does_nothing() -> None:
    model = onnx_model([node("Relu", ["x"], ["r"]), node("Flatten", ["r"], ["y"])], {"x": [3, 0, 2]}, ["y"])
    graph = run_passes(import_onnx(model.SerializeToString(), "net"), CANONICALIZE)
    (y,) = interpret(graph, [np.zeros((3, 0, 2), np.float32)])
    assert y.shape == (3, 0)
    program = compile_model(imported(graph), Settings(precision="as-is")).program
    assert (program.inputs[0].bytes, program.outputs[0].bytes) == (0, 0)


def test_a_first_dimension_of_0_is_a_batch_where_the_outputs_have_one_too() -> None:
    model = onnx_model([node("Relu", ["x"], ["y"])], {"x": [0, 4]}, ["y"])
    dim = model.graph.output[0].type.tensor_type.shape.dim
    assert [t.shape for t in import_onnx(model.SerializeToString(), "net").input_tensors] == [(1, 4)]
    dim.add().dim_value = 3
    dim.add().dim_value = 4
    assert [t.shape for t in import_onnx(model.SerializeToString(), "net").input_tensors] == [(0, 4)]


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_a_part_of_the_input_is_resized(mode: str) -> None:
    constants = {"roi": np.array([0.25, 0.1, 0.75, 1.2], np.float32), "sizes": np.array([5, 3])}
    nodes = [
        node(
            *("Resize", ["x", "roi", "", "sizes"], ["y"]),
            axes=[2, 3],
            mode=mode,
            coordinate_transformation_mode="tf_crop_and_resize",
        )
    ]
    assert_equals_reference(onnx_model(nodes, {"x": [1, 2, 6, 5]}, ["y"], constants, opset=19), drawn(1, 2, 6, 5))
