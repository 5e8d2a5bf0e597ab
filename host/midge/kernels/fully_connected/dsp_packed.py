"""FULLY_CONNECTED int8 with weights of few bits, on cores with 16-bit SIMD: packed, and unpacked in registers."""

from __future__ import annotations

from midge.kernels.dsp_packing import dsp_packing
from midge.kernels.dsp_pointwise import NEEDS, bind_pixels, pixel_order
from midge.kernels.dsp_pointwise import scratch_bytes as pixel_scratch
from midge.kernels.fully_connected.dsp import pixels_of, sums_of
from midge.kernels.literals import has_constant_weights, is_int8, requantization_of
from midge.kernels.narrow import Narrow
from midge.kernels.variant import Binding, Layer, Variant


def fits(layer: Layer) -> bool:
    """As dsp, with narrow weights."""
    if not (is_int8(layer) and has_constant_weights(layer)):
        return False
    return _packing(layer) is not None


def bind(layer: Layer) -> Binding:
    """The batch as pixels."""
    return bind_pixels(pixels_of(layer), sums_of(layer), requantization_of(layer), _packing(layer))


def scratch_bytes(layer: Layer) -> int:
    """The widened inputs."""
    return pixel_scratch(pixels_of(layer), layer.inputs[1].shape[1], _packing(layer))


def _packing(layer: Layer) -> Narrow | None:
    depth = layer.inputs[1].shape[1]
    return dsp_packing(layer, sums_of(layer), requantization_of(layer), lambda found: pixel_order(depth, found))


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, packed=True)
