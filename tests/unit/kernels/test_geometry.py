"""Safe overlaps against a walk through every read and write; merged loops against numpy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pytest

from differential.draw import draw_cases
from midge.ir.tensor import Tensor
from midge.kernels.geometry import Dim, broadcast_dims, merged
from midge.kernels.select import layer_of, variants
from midge.kernels.variant import Layer

# One output element: its index, and the input elements that it is computed from.
Step = tuple[int, Sequence[int]]


def _window_steps(layer: Layer, channelwise: bool) -> Iterator[Step]:
    """A windowed layer in the order in which portable kernels write."""
    x, y, op = layer.inputs[0], layer.outputs[0], layer.op
    kernel = getattr(op, "kernel", None) or layer.inputs[1].shape[1:3]
    dilation = getattr(op, "dilation", (1, 1))
    index = np.arange(x.elements).reshape(x.shape)
    for n, oy, ox, oc in product(*map(range, y.shape)):
        rows = [oy * op.stride[0] - op.padding[0][0] + k * dilation[0] for k in range(kernel[0])]
        columns = [ox * op.stride[1] - op.padding[1][0] + k * dilation[1] for k in range(kernel[1])]
        rows, columns = [r for r in rows if 0 <= r < x.shape[1]], [c for c in columns if 0 <= c < x.shape[2]]
        channels = [oc * x.shape[3] // y.shape[3]] if channelwise else range(x.shape[3])
        yield int(np.ravel_multi_index((n, oy, ox, oc), y.shape)), index[n][np.ix_(rows, columns, channels)].ravel()


def _least_distance(steps: Sequence[Step], x: Tensor, y: Tensor) -> int:
    """How many bytes the input must be ahead so that no write reaches a byte that a later step reads."""
    least, unread = -(1 << 62), 1 << 62
    for written, read in reversed(steps):
        end = (written + 1) * y.dtype.bytes
        if unread < 1 << 62:
            least = max(least, end - unread)
        unread = min([unread, *(int(i) * x.dtype.bytes for i in read)])
    return least


@pytest.mark.parametrize("kind", ["conv2d", "depthwise_conv2d", "average_pool2d", "max_pool2d"])
def test_windowed_kernels_keep_far_enough_from_their_input(kind: str) -> None:
    for case in draw_cases(kind, 40, seed=3):
        layer = layer_of(case.graph, 0)
        distance = variants(kind)[-1].overlap(layer)
        steps = list(_window_steps(layer, kind != "conv2d"))
        assert distance is not None
        assert distance >= _least_distance(steps, layer.inputs[0], layer.outputs[0]), case.op


@pytest.mark.parametrize("kind", ["average_pool2d", "max_pool2d"])
def test_pools_come_as_close_as_they_can(kind: str) -> None:
    ways = []
    for case in draw_cases(kind, 40, seed=3):
        layer = layer_of(case.graph, 0)
        steps = list(_window_steps(layer, True))
        if len(steps) > layer.outputs[0].shape[3]:
            ways.append(variants(kind)[-1].overlap(layer) - _least_distance(steps, layer.inputs[0], layer.outputs[0]))
    assert ways.count(0) > len(ways) / 2


@pytest.mark.parametrize("kind", ["pad", "quantize", "dequantize"])
def test_kernels_that_move_values_keep_far_enough_from_their_input(kind: str) -> None:
    for case in draw_cases(kind, 40, seed=4):
        layer = layer_of(case.graph, 0)
        x, y = layer.inputs[0], layer.outputs[0]
        source = np.arange(x.elements).reshape(x.shape)
        if kind == "pad":
            source = np.pad(source, case.op.paddings, constant_values=-1)
        steps = [(i, [k] if k >= 0 else []) for i, k in enumerate(source.reshape(-1).tolist())]
        distance = variants(kind)[-1].overlap(layer)
        assert distance is not None
        assert distance >= _least_distance(steps, x, y), case.op


def test_a_padded_3x3_depthwise_layer_overlaps_all_but_a_row_and_a_pixel() -> None:
    for case in draw_cases("depthwise_conv2d", 300, seed=5):
        layer = layer_of(case.graph, 0)
        (batch, _, width, channels), out = layer.inputs[0].shape, layer.outputs[0].shape
        if batch == 1 and out == layer.inputs[0].shape and case.op.padding == ((1, 1), (1, 1)):
            expected = (width + 1) * channels * layer.inputs[0].dtype.bytes
            assert variants("depthwise_conv2d")[-1].overlap(layer) <= expected


@pytest.mark.parametrize("kind", ["add", "mul"])
def test_merged_loops_visit_what_broadcasting_pairs(kind: str) -> None:
    for case in draw_cases(kind, 60, seed=6):
        layer = layer_of(case.graph, 0)
        dims = broadcast_dims(layer)
        walked = [
            [sum(i * s for i, s in zip(at, (d.strides[k] for d in dims), strict=True)) for k in range(2)]
            for at in product(*(range(d.size) for d in dims))
        ]
        shape = layer.outputs[0].shape
        operands = [np.broadcast_to(np.arange(t.elements).reshape(t.shape), shape).reshape(-1) for t in layer.inputs]
        assert walked == [list(pair) for pair in zip(*(o.tolist() for o in operands), strict=True)]


def test_equal_shapes_are_one_loop() -> None:
    dims = merged([Dim(2, (12, 12)), Dim(1, (12, 0)), Dim(3, (4, 4)), Dim(4, (1, 1))])
    assert dims == (Dim(24, (1, 1)),)


def test_a_vector_for_each_row_stays_two_loops() -> None:
    assert merged([Dim(6, (4, 0)), Dim(4, (1, 1))]) == (Dim(6, (4, 0)), Dim(4, (1, 1)))
