"""CONV_2D with a 1x1 window and weights zero in vectors of four channels, on cores with 16-bit SIMD."""

from __future__ import annotations

from midge.kernels.conv2d.dsp_pointwise import fits as fits_dense
from midge.kernels.conv2d.dsp_pointwise import overlap, pixels_of, sums_of
from midge.kernels.dsp_cycles import sparse_pixels_cycles
from midge.kernels.dsp_pointwise import NEEDS
from midge.kernels.literals import requantization_of
from midge.kernels.sparse_channels import has_zeros
from midge.kernels.sparse_pointwise import bind_sparse_pixels, plan
from midge.kernels.sparse_pointwise import scratch_bytes as pixel_scratch
from midge.kernels.variant import Binding, Layer, Variant

_SCRATCH_LIMIT = 16384
_LIST_CODE = 1000


def fits(layer: Layer) -> bool:
    """As dsp_pointwise, with zeros, and lists of at most 16 KB."""
    return fits_dense(layer) and has_zeros(layer) and scratch_bytes(layer) <= _SCRATCH_LIMIT


def bind(layer: Layer) -> Binding:
    """All pixels in one row where each is used, else row by row."""
    return bind_sparse_pixels(pixels_of(layer), sums_of(layer), requantization_of(layer))


def scratch_bytes(layer: Layer) -> int:
    """The list of positions, and two pixels side by side."""
    return pixel_scratch(sums_of(layer))


def code_bytes(layer: Layer) -> int:
    """Unrolled loops, and what makes lists."""
    return plan(sums_of(layer)).turns.code_bytes + _LIST_CODE


def cycles(layer: Layer) -> int:
    """Estimated."""
    channels, depth = layer.outputs[0].shape[3], layer.inputs[0].shape[3]
    return sparse_pixels_cycles(pixels_of(layer), channels, depth, plan(sums_of(layer)))


VARIANT = Variant(
    __name__,
    fits=fits,
    bind=bind,
    needs=NEEDS,
    scratch_bytes=scratch_bytes,
    overlap=overlap,
    code_bytes=code_bytes,
    cycles=cycles,
)
