"""CONV_2D int8 with a 1x1 window for Armv6-M with its weights as code (midge.kernels.thumb_code)."""

from __future__ import annotations

from midge.kernels.geometry import window_overlap
from midge.kernels.pixel_pairs import padded_depth
from midge.kernels.thumb_matrix import NEEDS, bound, matrix_bytes, matrix_cycles, pays
from midge.kernels.variant import Binding, Layer, Variant
from midge.kernels.weights_as_code import pixel_matrix_of


def fits(layer: Layer) -> bool:
    """int8 with constant weights, every pixel, words of channels, quicker than scalar_pairs."""
    units, _, _, width = layer.inputs[1].shape
    dense = (3 * padded_depth(width) + 45) * units + 5 * width
    return pays(pixel_matrix_of(layer), dense, units * width)


def bind(layer: Layer) -> Binding:
    """The steps, and for each output its bias and what scales its sums."""
    return bound(pixel_matrix_of(layer))


def code_bytes(layer: Layer) -> int:
    """What the steps take."""
    return matrix_bytes(pixel_matrix_of(layer))


def cycles(layer: Layer) -> int:
    """What it takes on a Cortex-M0+, within a few of a hundred."""
    return matrix_cycles(pixel_matrix_of(layer))


def overlap(layer: Layer) -> int:
    """An output pixel is written while its input is still read."""
    return window_overlap(layer, channelwise=False)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, overlap=overlap, code_bytes=code_bytes, cycles=cycles)
