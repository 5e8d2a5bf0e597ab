"""CONV_2D int8 for RV32IM: four pixels and two channels at a time (firmware/nn/midge_riscv.h).

The windows of four pixels are packed into words, once for all channels. Padding is the zero point, so that it is folded
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
from midge.kernels.position_quads import NEEDS, QUAD, bind_matrix, can_add, dense_pixel, quads, scaling_of
from midge.kernels.variant import Binding, Layer, Variant

_PIXELS = 4
# Windows of more positions, where they reach beyond the input, are packed tap by tap instead of being copied first.
_MOST_COPIED = 64


def fits(layer: Layer) -> bool:
    """int8 with constant weights, no groups, one image unless pixels are independent, sums that one product scales."""
    if not (is_int8(layer) and has_constant_weights(layer)):
        return False
    x, weights = layer.inputs[:2]
    if x.shape[3] != weights.shape[3] or joined_window(layer).batch > 1:
        return False
    rows = weight_rows(layer)
    scaled = scaling_of(rows, bias_values(layer, len(rows)), x.q.zero_point, requantization_of(layer))
    return can_add(rows) and scaled is not None


def bind(layer: Layer) -> Binding:
    """Weights by pairs of channels; for each channel what scales its sums."""
    rows, zero_point = weight_rows(layer), layer.inputs[0].q.zero_point
    params, constants = bind_matrix(rows, bias_values(layer, len(rows)), zero_point, requantization_of(layer))
    return Binding(
        {**joined_window(layer).params, **params, "in_zero": zero_point, "most_copied": _MOST_COPIED}, constants
    )


def scratch_bytes(layer: Layer) -> int:
    """Four windows, two to a word; where some reach beyond the input, copies of them or a pixel of padding."""
    window, positions = joined_window(layer), weight_rows(layer).shape[1]
    padding = max(window.in_c, _PIXELS * positions if positions <= _MOST_COPIED else 0)
    return 8 * QUAD * quads(positions) + (padding if window.is_clipped else 0)


def overlap(layer: Layer) -> int:
    """Four output pixels are written after all their windows were read."""
    return group_overlap(joined_window(layer), _PIXELS)


def cycles(layer: Layer) -> int:
    """Instructions, about."""
    w, (units, positions) = joined_window(layer), weight_rows(layer).shape
    return w.batch * w.out_h * w.out_w * dense_pixel(units, positions)


VARIANT = Variant(
    __name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, overlap=overlap, cycles=cycles
)
