"""What is removed, what stays and what the bias becomes, on networks small enough to reckon by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from midge.ir.graph import NO_CLAMP, Clamp, Graph, Op, Padding
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.ops.add import Add
from midge.ops.conv2d import Conv2D
from midge.ops.fully_connected import FullyConnected
from midge.ops.reshape import Reshape
from midge.passes import drop_constant_channels
from midge.passes.constant_channels import Removal, find_removals
from small_graphs import graph, int8s

UNIT = Quant.per_tensor(1.0, 10)
NO_PADDING: Padding = ((0, 0), (0, 0))
AROUND: Padding = ((1, 1), (1, 1))
RELU: Clamp = (0.0, float("inf"))


def weights(name: str, values: Array) -> Tensor:
    return int8s(name, values.shape, Quant.per_tensor(1.0, 0), values)


def bias(name: str, values: Sequence[int]) -> Tensor:
    return Tensor(name, (len(values),), DType.S32, None, np.array(values, np.int32))


def conv(name: str, inputs: tuple[str, ...], output: str, padding: Padding = NO_PADDING, clamp: Clamp = RELU) -> Conv2D:
    return Conv2D(
        name=name, inputs=inputs, outputs=(output,), stride=(1, 1), dilation=(1, 1), padding=padding, clamp=clamp
    )


def two_layers(second: Array, padding: Padding = NO_PADDING, zero_point: int = 10, bias2: int = 5) -> Graph:
    """A pointwise layer whose middle channel of three is always 10, and a layer that reads it with weights `second`."""
    first = weights("w1", np.array([1, 1, -1]).reshape(3, 1, 1, 1))
    tensors = [
        int8s("x", (1, 3, 3, 1), UNIT),
        *(first, bias("b1", [0, -1000, 0])),
        int8s("m", (1, 3, 3, 3), Quant.per_tensor(1.0, zero_point)),
        *(weights("w2", second), bias("b2", [bias2])),
        int8s("y", (1, 3, 3, 1), UNIT),
    ]
    # Clamped from below at the value that stands for 10 - zero_point.
    clamp = (float(10 - zero_point), float("inf"))
    ops = [conv("first", ("x", "w1", "b1"), "m", clamp=clamp), conv("second", ("m", "w2", "b2"), "y", padding)]
    return graph(["x"], ["y"], tensors, ops)


def channels(of: Graph, name: str) -> int:
    return of.tensors[name].shape[-1]


def test_a_constant_at_the_zero_point_goes_even_where_padding_is_read() -> None:
    made = drop_constant_channels(two_layers(np.ones((1, 3, 3, 3)), AROUND))
    assert channels(made, "m") == 2
    assert made.tensors["w2"].shape == (1, 3, 3, 2)
    assert np.asarray(made.tensors["b2"].data).tolist() == [5]


def test_another_constant_joins_the_bias_times_its_weight() -> None:
    made = drop_constant_channels(two_layers(np.array([1, 7, 1]).reshape(1, 1, 1, 3), zero_point=6))
    assert channels(made, "m") == 2
    assert np.asarray(made.tensors["b2"].data).tolist() == [5 + 7 * (10 - 6)]
    assert np.asarray(made.tensors["w1"].data).reshape(-1).tolist() == [1, -1]


def test_another_constant_stays_where_padding_is_read() -> None:
    before = two_layers(np.ones((1, 3, 3, 3)), AROUND, zero_point=6)
    assert channels(drop_constant_channels(before), "m") == 3
    assert find_removals(before) == ()


def test_another_constant_goes_where_only_taps_that_stay_inside_read_it() -> None:
    second = np.ones((1, 3, 3, 3))
    second[0, :, :, 1] = [[0, 0, 0], [0, 9, 0], [0, 0, 0]]
    made = drop_constant_channels(two_layers(second, AROUND, zero_point=6))
    assert channels(made, "m") == 2
    assert np.asarray(made.tensors["b2"].data).tolist() == [5 + 9 * (10 - 6)]


def test_a_constant_stays_that_would_carry_the_bias_out_of_32_bits() -> None:
    pointwise = np.array([1, 7, 1]).reshape(1, 1, 1, 3)
    assert channels(drop_constant_channels(two_layers(pointwise, zero_point=6, bias2=2**31 - 1)), "m") == 3


def test_the_record_says_which_channel_and_why() -> None:
    second = np.array([1, 7, 0]).reshape(1, 1, 1, 3)
    first, then = find_removals(two_layers(second, zero_point=6))
    assert first == Removal("first", "conv2d", 3, ((1, 10),), (2,), macs=18, parameters=4)
    assert then == Removal("second", "conv2d", 1, (), (), macs=18, parameters=2)


def test_the_network_keeps_the_channels_of_its_outputs() -> None:
    before = two_layers(np.zeros((1, 1, 1, 3)))
    made = drop_constant_channels(before)
    assert made.tensors["y"].shape == (1, 3, 3, 1)
    assert channels(made, "m") == 1


def residual(last: Sequence[int], far: Sequence[int]) -> Graph:
    """x + conv(x), channel 1 of x never changes; `far` is the bias of the branch, `last` reads the sum."""
    tensors = [
        int8s("i", (1, 2, 2, 1), UNIT),
        *(weights("w0", np.ones((2, 1, 1, 1))), bias("b0", [0, -1000])),
        int8s("x", (1, 2, 2, 2), UNIT),
        *(weights("w1", np.ones((2, 1, 1, 2))), bias("b1", far)),
        *(int8s("branch", (1, 2, 2, 2), UNIT), int8s("sum", (1, 2, 2, 2), Quant.per_tensor(2.0, -5))),
        weights("w2", np.array(last).reshape(1, 1, 1, 2)),
        int8s("y", (1, 2, 2, 1), UNIT),
    ]
    ops: list[Op] = [
        conv("stem", ("i", "w0", "b0"), "x"),
        conv("inner", ("x", "w1", "b1"), "branch"),
        Add(name="add", inputs=("x", "branch"), outputs=("sum",), clamp=NO_CLAMP),
        conv("last", ("sum", "w2"), "y", clamp=NO_CLAMP),
    ]
    return graph(["i"], ["y"], tensors, ops)


def test_a_sum_loses_a_channel_when_both_operands_are_constant_there() -> None:
    made = drop_constant_channels(residual([1, 3], [0, -1000]))
    assert [channels(made, name) for name in ("x", "branch", "sum")] == [1, 1, 1]
    # The sum of two zeros is -5, which is 0: nothing to add to the bias.
    assert np.asarray(made.tensors["y/bias"].data).tolist() == [0]


def test_a_sum_keeps_a_channel_where_one_operand_changes() -> None:
    made = drop_constant_channels(residual([1, 3], [0, 0]))
    assert [channels(made, name) for name in ("x", "branch", "sum")] == [2, 2, 2]


def test_a_channel_of_a_sum_that_nobody_reads_goes_from_both_operands() -> None:
    removals = {r.layer: r for r in find_removals(residual([1, 0], [0, 0]))}
    assert removals["inner"].unread == (1,)
    assert removals["add"].unread == (1,)
    assert removals["stem"].constant == ((1, 10),)


def test_a_channel_goes_from_every_place_of_a_flat_image() -> None:
    columns = np.arange(1, 9).reshape(1, 8)
    tensors = [
        int8s("x", (1, 2, 2, 1), UNIT),
        *(weights("w1", np.ones((2, 1, 1, 1))), bias("b1", [1000, 0])),
        *(int8s("m", (1, 2, 2, 2), UNIT), int8s("flat", (1, 8), UNIT)),
        weights("w2", columns),
        int8s("y", (1, 1), Quant.per_tensor(100.0, 0)),
    ]
    ops: list[Op] = [
        conv("conv", ("x", "w1", "b1"), "m"),
        Reshape(name="flatten", inputs=("m",), outputs=("flat",), shape=(1, 8)),
        FullyConnected(name="dense", inputs=("flat", "w2"), outputs=("y",), clamp=NO_CLAMP),
    ]
    made = drop_constant_channels(graph(["x"], ["y"], tensors, ops))
    assert made.tensors["flat"].shape == (1, 4)
    assert np.asarray(made.tensors["w2"].data).tolist() == [[2, 4, 6, 8]]
    assert np.asarray(made.tensors["y/bias"].data).tolist() == [(1 + 3 + 5 + 7) * (127 - 10)]
