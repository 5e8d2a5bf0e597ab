"""DEPTHWISE_CONV_2D int8 for RV32IM: each multiplication serves two pixels (firmware/nn/midge_riscv.h), which lie in
planes, see midge.kernels.planes; products go together as midge.kernels.grouped_taps says."""

from __future__ import annotations

from midge.kernels.grouped_taps import bind_planes
from midge.kernels.literals import bias_values, requantization_of
from midge.kernels.planes import band_overlap, fits_planes, plane_bytes, taps_by_channel
from midge.kernels.position_quads import NEEDS, Scaling, scaling_of
from midge.kernels.variant import Binding, Layer, Variant


def fits(layer: Layer) -> bool:
    """What planes can do, with sums that one product scales."""
    return fits_planes(layer) and _scaling(layer) is not None


def bind(layer: Layer) -> Binding:
    """Weights by channel; for each channel how its products go together, and what scales its sums."""
    scaled = _scaling(layer)
    assert scaled is not None, "no rule is exact"
    return bind_planes(layer, taps_by_channel(layer), scaled)


def _scaling(layer: Layer) -> Scaling | None:
    rows = taps_by_channel(layer)
    return scaling_of(rows, bias_values(layer, len(rows)), layer.inputs[0].q.zero_point, requantization_of(layer))


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=plane_bytes, overlap=band_overlap)
