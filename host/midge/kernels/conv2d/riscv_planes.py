"""CONV_2D int8 of one input channel for RV32IM: small windows walk over a plane, as those of a depthwise convolution
whose only channel has many filters do (midge.kernels.planes, midge.kernels.grouped_taps)."""

from __future__ import annotations

from midge.kernels.grouped_taps import bind_planes
from midge.kernels.literals import (
    bias_values,
    has_constant_weights,
    is_int8,
    requantization_of,
    weight_rows,
)
from midge.kernels.planes import band_overlap, can_walk, plane_bytes
from midge.kernels.position_quads import NEEDS, Scaling, scaling_of
from midge.kernels.variant import Binding, Layer, Variant

# From some 20 on, four positions at a time are quicker.
_MOST_TAPS = 16


def fits(layer: Layer) -> bool:
    """int8 with constant weights, one image of one channel, what planes can do, sums that one product scales."""
    if not (is_int8(layer) and has_constant_weights(layer)):
        return False
    x, rows = layer.inputs[0], weight_rows(layer)
    if x.shape[0] != 1 or x.shape[3] != 1 or rows.shape[1] > _MOST_TAPS:
        return False
    return can_walk(layer, rows) and _scaling(layer) is not None


def bind(layer: Layer) -> Binding:
    """Weights by channel; for each channel how its products go together, and what scales its sums."""
    scaled = _scaling(layer)
    assert scaled is not None, "no rule is exact"
    return bind_planes(layer, weight_rows(layer), scaled)


def _scaling(layer: Layer) -> Scaling | None:
    rows = weight_rows(layer)
    return scaling_of(rows, bias_values(layer, len(rows)), layer.inputs[0].q.zero_point, requantization_of(layer))


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=plane_bytes, overlap=band_overlap)
