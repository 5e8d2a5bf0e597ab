"""CONV_2D int8 for AVR: two windows at a time stay in RAM while weights stream by (midge.kernels.byte_blocks)."""

from __future__ import annotations

from typing import cast

from midge.kernels.byte_blocks import NEEDS, Blocks, blocks, code_bytes, gather
from midge.kernels.byte_sums import OFFSET
from midge.kernels.conv2d import scalar_pairs
from midge.kernels.geometry import Window, pixels_joined, window_of, window_overlap
from midge.kernels.literals import bias_values, constant_data, has_constant_weights, is_int8
from midge.kernels.variant import Binding, Layer, Variant
from midge.numerics.requantize import requantization
from midge.ops.conv2d import Conv2D

# Rows and runs of a window are counted in a byte and in two.
_MOST_ROWS = 255


def fits(layer: Layer) -> bool:
    """int8 with constant weights, no groups, no dilation, one image unless pixels are independent."""
    if not (is_int8(layer) and has_constant_weights(layer)):
        return False
    x, weights = layer.inputs[:2]
    window = _window(layer)
    is_plain = window.batch == 1 and (window.dilation_h, window.dilation_w) == (1, 1) and window.k_h <= _MOST_ROWS
    return is_plain and x.shape[3] == weights.shape[3] and _gather(window)["turn"] != 0 and _blocks(layer) is not None


def bind(layer: Layer) -> Binding:
    """The stream, and where windows lie. `padding` is the zero point as activations are stored."""
    made, window = _blocks(layer), _window(layer)
    assert made is not None
    padding = layer.inputs[0].q.zero_point + OFFSET
    params = {**window.params, **made.params, "padding": padding, "gather": _gather(window)}
    return Binding(params, made.constants)


def scratch_bytes(layer: Layer) -> int:
    """One window or two."""
    made = _blocks(layer)
    assert made is not None
    return made.pixels * made.hop


def overlap(layer: Layer) -> int:
    """Output pixels are written after the windows of all that are done at a time were read."""
    made = _blocks(layer)
    assert made is not None
    return scalar_pairs.overlap(layer) if made.pixels == 2 else window_overlap(layer, channelwise=False)


def _window(layer: Layer) -> Window:
    weights = layer.inputs[1].shape
    return pixels_joined(window_of(layer, (weights[1], weights[2])))


def _gather(window: Window) -> dict[str, object]:
    return gather(window.k_h, window.k_w * window.in_c, (window.in_w - window.k_w) * window.in_c)


def _blocks(layer: Layer) -> Blocks | None:
    op, (x, weights) = cast(Conv2D, layer.op), layer.inputs[:2]
    rows, window = constant_data(weights), _window(layer)
    r = requantization(x, weights, layer.outputs[0], op.clamp)
    bias = bias_values(layer, len(rows))
    return blocks(rows.reshape(len(rows), -1), bias, x.q.zero_point, r, window.out_h * window.out_w)


VARIANT = Variant(
    __name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, overlap=overlap, code_bytes=code_bytes
)
