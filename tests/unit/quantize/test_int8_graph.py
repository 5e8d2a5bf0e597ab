"""The int8 graph of small float graphs: scales and zero points by definition, and outputs near the float ones."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from midge.errors import InternalError, UnsupportedModelError
from midge.interpreter import interpret
from midge.ir.graph import NO_CLAMP, Graph, Op
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.numerics.fixed_point import quantize_array
from midge.ops.add import Add
from midge.ops.arg_max import ArgMax
from midge.ops.concatenation import Concatenation
from midge.ops.fully_connected import FullyConnected
from midge.ops.logistic import OUTPUT_QUANT as LOGISTIC_QUANT
from midge.ops.logistic import Logistic
from midge.ops.mul import Mul
from midge.ops.pad import Pad
from midge.ops.relu import Relu
from midge.ops.reshape import Reshape
from midge.ops.softmax import Softmax
from midge.ops.split import Split
from midge.ops.tanh import Tanh
from midge.quantize import calibrate, layer_qualities, quantize_graph
from midge.quantize.quality import real_values
from midge.quantize.ranges import Range, activation_quant
from small_graphs import floats, graph, int8s, pointwise

WEIGHTS = np.array([[1.0, -0.5], [0.2, 2.54], [0.0, 0.0]], np.float32)
BIAS = np.array([1.0, -1.0, 0.5], np.float32)


def dense(weights: Array = WEIGHTS, bias: Array | None = BIAS) -> Graph:
    units, depth = weights.shape
    constants = [floats("w", weights.shape, weights)]
    if bias is not None:
        constants.append(floats("b", bias.shape, bias))
    op = FullyConnected(name="dense", inputs=("x", *(t.name for t in constants)), outputs=("y",), clamp=NO_CLAMP)
    return graph(["x"], ["y"], [floats("x", (1, depth)), *constants, floats("y", (1, units))], [op])


def chain(*ops: Op, shapes: Mapping[str, tuple[int, ...]], constants: tuple[Tensor, ...] = ()) -> Graph:
    tensors = [*(floats(n, s) for n, s in shapes.items()), *constants]
    return graph(["x"], [ops[-1].outputs[0]], tensors, ops)


RANGES = {"x": Range(-1, 2), "y": Range(-5, 4)}


def test_weights_are_symmetric_per_channel() -> None:
    w = quantize_graph(dense(), RANGES).tensors["w"]
    assert w.dtype is DType.S8
    assert w.q.axis == 0
    assert w.q.zero_points == (0, 0, 0)
    assert_allclose(w.q.scales[:2], [1 / 127, 2.54 / 127], rtol=1e-6)
    assert_array_equal(np.asarray(w.data), [[127, -64], [10, 127], [0, 0]])


def test_a_channel_of_zeros_has_a_usable_scale() -> None:
    assert quantize_graph(dense(), RANGES).tensors["w"].q.scales[2] > 0
    nothing = quantize_graph(dense(np.zeros((2, 2), np.float32), None), RANGES)
    assert all(s > 0 for s in nothing.tensors["w"].q.scales)


def test_activations_cover_their_range_and_hold_zero() -> None:
    result = quantize_graph(dense(), RANGES)
    assert result.tensors["x"].quant == Quant.per_tensor(3 / 255, -43)
    assert result.tensors["y"].quant == Quant.per_tensor(9 / 255, 14)
    assert result.input_tensors[0].dtype is result.output_tensors[0].dtype is DType.S8


def test_the_bias_is_int32_at_input_times_weight_scale() -> None:
    result = quantize_graph(dense(), RANGES)
    w, b, x = result.tensors["w"], result.tensors["b"], result.tensors["x"]
    assert b.dtype is DType.S32
    assert_allclose(b.q.scales, np.multiply(w.q.scales, x.q.scale), rtol=1e-6)
    assert_allclose(np.asarray(b.data) * np.array(b.q.scales), BIAS, atol=max(b.q.scales))


def test_a_bias_too_large_for_its_scale_widens_the_weights() -> None:
    tiny = np.array([[1e-9, -1e-9], [1.0, 1.0]], np.float32)
    result = quantize_graph(dense(tiny, np.array([3.0, 1.0], np.float32)), RANGES)
    bias = np.asarray(result.tensors["b"].data, np.int64)
    assert np.abs(bias).max() <= 1 << 30
    x = np.array([[0.5, 1.0]], np.float32)
    (y,) = interpret(result, [quantize_array(x, result.tensors["x"].q, DType.S8)])
    assert_allclose(real_values(result.tensors["y"], y), [[3.0, 2.5]], atol=0.04)


@pytest.mark.parametrize("op", [Softmax, Logistic, Tanh])
def test_outputs_that_an_operator_fixes_are_not_calibrated(op: type[Op]) -> None:
    fields = {"beta": 1.0} if op is Softmax else {}
    g = chain(
        op(name="op", inputs=("x",), outputs=("y",), **fields),
        Reshape(name="reshape", inputs=("y",), outputs=("z",), shape=(3, 1)),
        shapes={"x": (1, 3), "y": (1, 3), "z": (3, 1)},
    )
    result = quantize_graph(g, {"x": Range(-1, 1), "y": Range(0, 0.3), "z": Range(0, 0.3)})
    expected = Quant.per_tensor(1 / 128, 0) if op is Tanh else Quant.per_tensor(1 / 256, -128)
    assert result.tensors["y"].quant == result.tensors["z"].quant == expected


def test_what_is_only_moved_keeps_the_quantization() -> None:
    g = chain(
        Pad(name="pad", inputs=("x",), outputs=("y",), paddings=((0, 0), (1, 1))),
        Reshape(name="reshape", inputs=("y",), outputs=("z",), shape=(4,)),
        shapes={"x": (1, 2), "y": (1, 4), "z": (4,)},
    )
    result = quantize_graph(g, {"x": Range(0, 2), "y": Range(0, 1), "z": Range(0, 1)})
    assert {t.quant for t in result.tensors.values()} == {activation_quant(Range(0, 2))}


def concatenation() -> Graph:
    return graph(
        ["x", "k"],
        ["y"],
        [
            *(floats(n, (1, 2)) for n in ("x", "k", "a", "b")),
            floats("c", (1, 1), np.array([[5.0]])),
            floats("y", (1, 7)),
        ],
        [
            Relu(name="relu", inputs=("x",), outputs=("a",), clamp=(0.0, inf)),
            Logistic(name="logistic", inputs=("k",), outputs=("b",)),
            Concatenation(name="join", inputs=("a", "b", "x", "c"), outputs=("y",), axis=1),
        ],
    )


def test_what_is_concatenated_shares_one_range() -> None:
    ranges = {n: Range(*r) for n, r in {"x": (-1, 1), "k": (-9, 9), "a": (0, 1), "b": (0, 1), "y": (-1, 5)}.items()}
    result = quantize_graph(concatenation(), ranges)
    assert {result.tensors[n].quant for n in ("x", "a", "c", "y")} == {activation_quant(Range(-1, 5))}
    assert result.tensors["k"].quant == activation_quant(Range(-9, 9))


def test_an_output_that_is_fixed_is_requantized_before_it_is_concatenated() -> None:
    g = concatenation()
    draw = np.random.default_rng(0)
    samples = [[draw.uniform(-2, 2, (1, 2)).astype(np.float32) for _ in range(2)] for _ in range(30)]
    result = quantize_graph(g, calibrate(g, samples).ranges)
    assert [op.kind for op in result.ops] == ["relu", "logistic", "quantize", "concatenation"]
    assert result.tensors["b"].quant == LOGISTIC_QUANT
    assert layer_qualities(g, result, samples)[-1].sqnr_db > 35


def test_the_same_fixed_outputs_are_concatenated_as_they_are() -> None:
    g = chain(
        Logistic(name="one", inputs=("x",), outputs=("a",)),
        Logistic(name="two", inputs=("a",), outputs=("b",)),
        Concatenation(name="join", inputs=("a", "b"), outputs=("y",), axis=1),
        shapes={"x": (1, 2), "a": (1, 2), "b": (1, 2), "y": (1, 4)},
    )
    result = quantize_graph(g, {n: Range(0, 1) for n in "xaby"})
    assert [op.kind for op in result.ops] == ["logistic", "logistic", "concatenation"]
    assert result.tensors["y"].quant == LOGISTIC_QUANT


def test_constant_operands_are_quantized_over_their_own_range() -> None:
    g = chain(
        Add(name="add", inputs=("x", "c"), outputs=("y",), clamp=NO_CLAMP),
        Mul(name="mul", inputs=("y", "c"), outputs=("z",), clamp=NO_CLAMP),
        shapes={"x": (1, 2), "y": (1, 2), "z": (1, 2)},
        constants=(floats("c", (2,), np.array([0.5, 3.0])),),
    )
    result = quantize_graph(g, {"x": Range(-1, 1), "y": Range(-1, 4), "z": Range(-1, 12)})
    c = result.tensors["c"]
    assert c.quant == activation_quant(Range(0, 3))
    assert_allclose(real_values(c, np.asarray(c.data)), [0.5, 3.0], atol=0.01)


def test_weights_that_two_layers_share_fit_both() -> None:
    values = np.eye(2, dtype=np.float32).reshape(2, 1, 1, 2)
    g = chain(
        pointwise("one", ("x", "w", "b"), "y"),
        pointwise("two", ("y", "w", "b"), "z"),
        shapes={"x": (1, 1, 1, 2), "y": (1, 1, 1, 2), "z": (1, 1, 1, 2)},
        constants=(floats("w", values.shape, values), floats("b", (2,), np.array([1.0, 2.0]))),
    )
    result = quantize_graph(g, {"x": Range(-1, 1), "y": Range(0, 3), "z": Range(0, 5)})
    assert result.ops[0].inputs[1] == result.ops[1].inputs[1] == "w"
    for op in result.ops:
        bias = result.tensors[op.inputs[2]]
        assert_allclose(np.asarray(bias.data) * np.array(bias.q.scales), [1, 2], atol=1e-3)


def test_float_io_keeps_names_shapes_and_types() -> None:
    g = dense()
    result = quantize_graph(g, RANGES, float_io=True)
    assert (result.inputs, result.outputs) == (g.inputs, g.outputs)
    assert [op.kind for op in result.ops] == ["quantize", "fully_connected", "dequantize"]
    x = np.array([[0.3, 1.7]], np.float32)
    assert_allclose(interpret(result, [x])[0], interpret(g, [x])[0], atol=0.05)
    whole = quantize_graph(g, RANGES)
    (y,) = interpret(whole, [quantize_array(x, whole.tensors["x"].q, DType.S8)])
    assert_array_equal(interpret(result, [x])[0], real_values(whole.tensors["y"], y).astype(np.float32))


def test_an_integer_graph_passes_through_untouched() -> None:
    once = quantize_graph(dense(), RANGES)
    assert quantize_graph(once, {}) is once
    around = quantize_graph(dense(), RANGES, float_io=True)
    assert quantize_graph(around, {}) is around


def test_weights_that_are_computed_are_an_error_naming_the_layer() -> None:
    op = FullyConnected(name="attention", inputs=("x", "w"), outputs=("y",), clamp=NO_CLAMP)
    g = graph(["x", "w"], ["y"], [floats("x", (1, 2)), floats("w", (3, 2)), floats("y", (1, 3))], [op])
    with pytest.raises(UnsupportedModelError, match="attention"):
        quantize_graph(g, {n: Range(-1, 1) for n in "xwy"})


def test_weights_that_are_no_numbers_are_an_error_naming_the_layer() -> None:
    with pytest.raises(UnsupportedModelError, match=r"dense .*constant w"):
        quantize_graph(dense(np.full((2, 2), np.nan, np.float32), None), RANGES)


def test_what_int8_cannot_do_is_an_error_naming_the_layer() -> None:
    g = chain(Add(name="cancel", inputs=("x", "x"), outputs=("y",), clamp=NO_CLAMP), shapes={"x": (1, 2), "y": (1, 2)})
    with pytest.raises(UnsupportedModelError, match="cancel"):
        quantize_graph(g, {"x": Range(-1e20, 1e20), "y": Range(-1e-18, 1e-18)})


def test_ranges_of_another_graph_are_refused() -> None:
    with pytest.raises(InternalError, match="y was not calibrated"):
        quantize_graph(dense(), {"x": Range(-1, 1)})


def test_quality_is_the_ratio_of_signal_to_error() -> None:
    g = dense()
    result = quantize_graph(g, RANGES)
    x = np.array([[0.3, 1.7]], np.float32)
    (layer,) = layer_qualities(g, result, [[x]])
    wanted = interpret(g, [x])[0].astype(float)
    (y,) = interpret(result, [quantize_array(x, result.tensors["x"].q, DType.S8)])
    error = real_values(result.tensors["y"], y) - wanted
    assert (layer.layer, layer.kind) == ("dense", "fully_connected")
    assert layer.sqnr_db == pytest.approx(10 * np.log10((wanted**2).sum() / (error**2).sum()))


def test_a_graph_whose_types_are_mixed_is_left_alone() -> None:
    g = graph(
        ["x"],
        ["y"],
        [int8s("x", (2,), Quant.per_tensor(0.1, 0)), int8s("y", (2,), Quant.per_tensor(0.1, 0))],
        [Relu(name="relu", inputs=("x",), outputs=("y",), clamp=(0.0, inf))],
    )
    assert quantize_graph(g, {}) is g


@pytest.mark.parametrize("float_io", [False, True])
def test_parts_share_a_quantization_and_indices_stay_integers(float_io: bool) -> None:
    tensors = [Tensor("x", (1, 8), DType.F32), Tensor("a", (1, 4), DType.F32), Tensor("b", (1, 4), DType.F32)]
    tensors.append(Tensor("i", (1,), DType.S32))
    ops = (
        Split(name="split", inputs=("x",), outputs=("a", "b"), axis=1, sizes=(4, 4)),
        ArgMax(name="best", inputs=("a",), outputs=("i",), axis=1),
    )
    graph = Graph("net", ("x",), ("b", "i"), {t.name: t for t in tensors}, ops)
    made = quantize_graph(graph, {n: Range(-2.0, 3.0) for n in "xabi"}, float_io)
    assert [t.dtype for t in made.output_tensors] == [DType.F32 if float_io else DType.S8, DType.S32]
    split = next(op for op in made.ops if op.kind == "split")
    assert len({made.tensors[n].quant for n in (*split.inputs, *split.outputs)}) == 1
