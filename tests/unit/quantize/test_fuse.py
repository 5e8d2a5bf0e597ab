"""Float layers between quantized values become integer layers: what is fused, and how far its results are away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from midge.errors import SettingsError
from midge.importers.onnx import import_onnx
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.passes import CANONICALIZE, run_passes
from midge.quantize import FusionWarning, fuse_quantization, quantize_model
from midge.settings import Settings
from unit.importers.onnx_file import node, onnx_file

F32 = np.float32
RNG = np.random.default_rng(3)
SCALES = {"one": F32(0.03), "two": F32(0.05), "s8": np.int8(-5), "u8": np.uint8(120)}


def qdq(source: str, target: str, scale: str = "one", zero: str = "s8") -> list[Any]:
    """The two nodes that quantize `source` and give it back as `target`."""
    return [
        node("QuantizeLinear", [source, scale, zero], [f"{target}_q"]),
        node("DequantizeLinear", [f"{target}_q", scale, zero], [target]),
    ]


def network(zero: str = "s8", per_channel: bool = True) -> Graph:
    """Convolution with bias and activation, residual sum, pooling, flatten, product; all of it quantized."""
    weights = RNG.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
    dense = RNG.integers(-127, 128, (16, 5)).astype(np.int8)
    constants = {
        **SCALES,
        "w_q": weights,
        "w_scale": (RNG.uniform(0.002, 0.006, 4) if per_channel else np.array(0.004)).astype(F32),
        "w_zero": np.zeros(4 if per_channel else (), np.int8),
        "bias": RNG.normal(0, 0.3, 4).astype(F32),
        "d_q": dense,
        "d_scale": F32(0.01),
        "d_zero": np.int8(0),
    }
    nodes = [
        *qdq("x", "x_d", zero=zero),
        node("DequantizeLinear", ["w_q", "w_scale", "w_zero"], ["w"], axis=0),
        node("Conv", ["x_d", "w", "bias"], ["c"], pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"]),
        *qdq("r", "r_d", "two", zero),
        node("Add", ["r_d", "r_d"], ["sum"]),
        *qdq("sum", "sum_d", "two", zero),
        node("MaxPool", ["sum_d"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        *qdq("p", "p_d", "two", zero),
        node("Flatten", ["p_d"], ["f"]),
        *qdq("f", "f_d", "two", zero),
        node("DequantizeLinear", ["d_q", "d_scale", "d_zero"], ["d"]),
        node("MatMul", ["f_d", "d"], ["m"]),
        *qdq("m", "y", "two", zero),
    ]
    return run_passes(
        import_onnx(onnx_file(nodes, {"x": [1, 3, 4, 4]}, ["y"], constants, opset=13), "net"), CANONICALIZE
    )


def drawn() -> Array:
    return RNG.normal(0, 1.5, (1, 3, 4, 4)).astype(F32)


@pytest.mark.parametrize("zero", ["s8", "u8"])
@pytest.mark.parametrize("per_channel", [True, False])
def test_a_fused_network_rarely_differs_from_the_definition(zero: str, per_channel: bool) -> None:
    graph = network(zero, per_channel)
    fused = fuse_quantization(graph)
    found = {op.kind: {t.dtype.value for t in fused.outputs_of(op)} for op in fused.ops}
    assert {kind for kind, types in found.items() if types == {"float32"}} <= {"transpose", "dequantize"}
    differing = 0
    for _ in range(50):
        x = drawn()
        exact, integers = interpret(graph, [x])[0], interpret(fused, [x])[0]
        steps = np.abs(exact - integers) / SCALES["two"]
        assert steps.max() < 4
        differing += int((steps > 0.5).sum())
    assert differing < 50 * exact.size // 20


@pytest.mark.parametrize(
    "layer",
    [
        node("Conv", ["x_d", "w"], ["c"], pads=[1, 0, 0, 1]),
        node("Add", ["x_d", "x_d"], ["c"]),
        node("Mul", ["x_d", "x_d"], ["c"]),
        node("AveragePool", ["x_d"], ["c"], kernel_shape=[2, 2]),
        node("GlobalAveragePool", ["x_d"], ["c"]),
        node("Sigmoid", ["x_d"], ["c"]),
        node("LeakyRelu", ["x_d"], ["c"]),
        node("Softmax", ["x_d"], ["c"]),
        node("Transpose", ["x_d"], ["c"]),
    ],
    ids=lambda layer: str(layer.op_type),
)
def test_a_fused_layer_is_at_most_a_step_from_the_definition(layer: Any) -> None:
    nodes = [
        *qdq("x", "x_d"),
        node("DequantizeLinear", ["w_q", "two", "w_zero"], ["w"]),
        layer,
        *qdq("c", "y", "two"),
    ]
    weights = {"w_q": RNG.integers(-127, 128, (4, 3, 2, 2)).astype(np.int8), "w_zero": np.int8(0)}
    data = onnx_file(nodes, {"x": [1, 3, 4, 4]}, ["y"], {**SCALES, **weights}, opset=13)
    graph = run_passes(import_onnx(data, "net"), CANONICALIZE)
    fused = fuse_quantization(graph)
    assert all(t.dtype.value == "int8" for op in fused.ops[1:-1] for t in fused.outputs_of(op))
    inputs = [drawn() for _ in range(40)]
    differences = [interpret(graph, [x])[0] - interpret(fused, [x])[0] for x in inputs]
    steps = np.abs(differences) / SCALES["two"]
    assert steps.max() < 1.5
    # Averages and tables are rounded to a scale of their own first.
    assert (steps > 0.5).mean() < 0.2


def test_the_integers_of_the_file_are_kept() -> None:
    fused = fuse_quantization(network())
    (conv,) = [op for op in fused.ops if op.kind == "conv2d"]
    weights = fused.tensors[conv.inputs[1]]
    assert weights.dtype.value == "int8"
    assert weights.q.axis == 0
    assert weights.data is not None
    assert len(np.unique(weights.data)) > 50


def test_int8_fuses_with_a_warning_and_as_is_keeps_the_definition() -> None:
    graph = network()
    with pytest.warns(FusionWarning, match="--precision as-is"):
        assert quantize_model(graph, Settings(precision="int8")) is not graph
    assert quantize_model(graph, Settings(precision="as-is")) is graph
    with pytest.raises(SettingsError):
        quantize_model(graph, Settings(precision="float"))


def test_layers_without_integers_stay_float() -> None:
    nodes = [
        *qdq("x", "x_d"),
        node("Conv", ["x_d", "w"], ["c"]),
        *qdq("c", "c_d"),
        node("Tanh", ["c_d"], ["t"]),
        *qdq("t", "y", "two"),
    ]
    constants = {**SCALES, "w": RNG.normal(0, 1, (2, 3, 1, 1)).astype(F32)}
    data = onnx_file(nodes, {"x": [1, 3, 4, 4]}, ["y"], constants, opset=13, kind=TensorProto.FLOAT)
    graph = run_passes(import_onnx(data, "net"), CANONICALIZE)
    fused = fuse_quantization(graph)
    (conv,) = [op for op in fused.ops if op.kind == "conv2d"]
    assert fused.outputs_of(conv)[0].dtype.value == "float32"
    x = drawn()
    np.testing.assert_allclose(interpret(fused, [x])[0], interpret(graph, [x])[0], atol=0.06)
