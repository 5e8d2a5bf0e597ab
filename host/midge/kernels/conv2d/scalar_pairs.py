"""CONV_2D int8 for cores without SIMD: each multiplication serves two pixels (firmware/nn/midge_scalar.h).

The windows of two pixels are packed into words, once for all channels. Padding is the zero point, so that it is folded
into the bias everywhere.
"""

from __future__ import annotations

from midge.kernels.geometry import group_overlap, joined_window
from midge.kernels.literals import (
    bias_values,
    has_constant_weights,
    is_int8,
    requantization_of,
    weight_rows,
)
from midge.kernels.pixel_pairs import NEEDS, bind_matrix, can_pack, dense_pixel, padded_depth
from midge.kernels.variant import Binding, Layer, Variant


def fits(layer: Layer) -> bool:
    """int8 with constant weights, no groups, one image unless pixels are independent."""
    if not (is_int8(layer) and has_constant_weights(layer)):
        return False
    x, weights = layer.inputs[:2]
    return x.shape[3] == weights.shape[3] and joined_window(layer).batch == 1 and can_pack(weight_rows(layer))


def bind(layer: Layer) -> Binding:
    """Weights by pairs of channels; for each channel its bias and what scales its sums."""
    rows, zero_point = weight_rows(layer), layer.inputs[0].q.zero_point
    params, constants = bind_matrix(rows, bias_values(layer, len(rows)), zero_point, requantization_of(layer))
    return Binding({**joined_window(layer).params, **params, "in_zero": zero_point}, constants)


def scratch_bytes(layer: Layer) -> int:
    """Two windows as words, and a pixel of padding."""
    window = joined_window(layer)
    return 4 * padded_depth(weight_rows(layer).shape[1]) + (window.in_c if window.is_clipped else 0)


def overlap(layer: Layer) -> int:
    """Two output pixels are written after both their windows were read."""
    return group_overlap(joined_window(layer), 2)


def cycles(layer: Layer) -> int:
    """What it takes on a Cortex-M0+, about."""
    w, (units, positions) = joined_window(layer), weight_rows(layer).shape
    return w.batch * w.out_h * w.out_w * dense_pixel(units, positions)


VARIANT = Variant(
    __name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, overlap=overlap, cycles=cycles
)
