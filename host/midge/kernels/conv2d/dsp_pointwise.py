"""CONV_2D with a 1x1 window, int8, on cores with 16-bit SIMD: two pixels and four channels at a time."""

from __future__ import annotations

from typing import cast

from midge.kernels.dsp_cycles import dense_cycles
from midge.kernels.dsp_pointwise import NEEDS, Pixels, bind_pixels
from midge.kernels.dsp_pointwise import scratch_bytes as pixel_scratch
from midge.kernels.literals import bias_values, constant_data, has_constant_weights, is_int8, requantization_of
from midge.kernels.paired_channels import Sums, can_pair, folded_sums
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.conv2d import Conv2D


def fits(layer: Layer) -> bool:
    """int8 with constant weights, one image, no groups, no padding, sums below 2^23, factors below 1/2."""
    return is_pointwise(layer) and can_pair(sums_of(layer), requantization_of(layer))


def is_pointwise(layer: Layer) -> bool:
    """int8 with constant weights, one image, no groups, no padding."""
    op, (x, weights) = cast(Conv2D, layer.op), layer.inputs[:2]
    if not (is_int8(layer) and has_constant_weights(layer)) or weights.shape[1:3] != (1, 1):
        return False
    whole = op.padding == ((0, 0), (0, 0)) and x.shape[3] == weights.shape[3]
    joined = x.shape[0] == 1 or op.stride == (1, 1)
    return whole and joined


def bind(layer: Layer) -> Binding:
    """All pixels in one row where each is used, else row by row."""
    return bind_pixels(pixels_of(layer), sums_of(layer), requantization_of(layer))


def scratch_bytes(layer: Layer) -> int:
    """Two widened pixels."""
    return pixel_scratch(pixels_of(layer), layer.inputs[0].shape[3])


def overlap(layer: Layer) -> int:
    """Two pixels are widened before their outputs are written, so only later pixels must not be hit."""
    pixels, channels = pixels_of(layer), layer.outputs[0].shape[3]
    distances = [-layer.inputs[0].bytes]
    for row in range(pixels.rows):
        for first in range(0, pixels.pixels, 2):
            done = min(first + 2, pixels.pixels)
            unread = _next_unread(pixels, row, done)
            if unread is not None:
                distances.append((row * pixels.pixels + done) * channels - unread)
    return max(distances)


def _next_unread(pixels: Pixels, row: int, done: int) -> int | None:
    """The first input byte that is read after the first `done` pixels of the row; None after the last."""
    if done < pixels.pixels:
        return row * pixels.row_bytes + done * pixels.pixel_bytes
    return (row + 1) * pixels.row_bytes if row + 1 < pixels.rows else None


def pixels_of(layer: Layer) -> Pixels:
    """All in one row where each is used, else row by row."""
    op, x, y = cast(Conv2D, layer.op), layer.inputs[0].shape, layer.outputs[0].shape
    if op.stride == (1, 1):
        return Pixels(1, x[0] * x[1] * x[2], x[3], 0)
    return Pixels(y[1], y[2], op.stride[1] * x[3], op.stride[0] * x[2] * x[3])


def sums_of(layer: Layer) -> Sums:
    """The input's zero point folded into the bias."""
    x, weights = layer.inputs[:2]
    return folded_sums(constant_data(weights), bias_values(layer, weights.shape[0]), x.q.zero_point)


def cycles(layer: Layer) -> int:
    """Estimated."""
    return dense_cycles(pixels_of(layer), layer.outputs[0].shape[3], layer.inputs[0].shape[3])


VARIANT = Variant(
    __name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, overlap=overlap, cycles=cycles
)
