"""CONV_2D with a 1x1 window and weights of few bits, on cores with 16-bit SIMD: packed, and unpacked in registers."""

from __future__ import annotations

from midge.kernels.conv2d.dsp_pointwise import is_pointwise, overlap, pixels_of, sums_of
from midge.kernels.dsp_packing import dsp_packing
from midge.kernels.dsp_pointwise import NEEDS, bind_pixels, pixel_order
from midge.kernels.dsp_pointwise import scratch_bytes as pixel_scratch
from midge.kernels.literals import requantization_of
from midge.kernels.narrow import Narrow
from midge.kernels.variant import Binding, Layer, Variant


def fits(layer: Layer) -> bool:
    """As dsp_pointwise, with narrow weights."""
    if not is_pointwise(layer):
        return False
    return _packing(layer) is not None


def bind(layer: Layer) -> Binding:
    """All pixels in one row where each is used, else row by row."""
    return bind_pixels(pixels_of(layer), sums_of(layer), requantization_of(layer), _packing(layer))


def scratch_bytes(layer: Layer) -> int:
    """Two widened pixels."""
    return pixel_scratch(pixels_of(layer), layer.inputs[0].shape[3], _packing(layer))


def _packing(layer: Layer) -> Narrow | None:
    depth = layer.inputs[0].shape[3]
    return dsp_packing(layer, sums_of(layer), requantization_of(layer), lambda found: pixel_order(depth, found))


VARIANT = Variant(
    __name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, overlap=overlap, packed=True
)
