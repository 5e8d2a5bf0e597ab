"""CONV_2D int8 with a 1x1 window for RV32IM with its weights as code (midge.kernels.riscv_code)."""

from __future__ import annotations

from midge.kernels.geometry import window_overlap
from midge.kernels.position_quads import NEEDS
from midge.kernels.riscv_matrix import bound, matrix_bytes, matrix_instructions, pays
from midge.kernels.variant import Binding, Layer, Variant
from midge.kernels.weights_as_code import pixel_matrix_of


def fits(layer: Layer) -> bool:
    """int8 with constant weights, every pixel, quicker than riscv_quads."""
    units, _, _, width = layer.inputs[1].shape
    return pays(pixel_matrix_of(layer), (2 * width + 15) * units + 5 * width, units * width)


def bind(layer: Layer) -> Binding:
    """The steps, and for each output what scales its sums."""
    return bound(pixel_matrix_of(layer))


def code_bytes(layer: Layer) -> int:
    """What the steps take."""
    return matrix_bytes(pixel_matrix_of(layer))


def cycles(layer: Layer) -> int:
    """What it takes, in instructions."""
    return matrix_instructions(pixel_matrix_of(layer))


def overlap(layer: Layer) -> int:
    """An output pixel is written while its input is still read."""
    return window_overlap(layer, channelwise=False)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, overlap=overlap, code_bytes=code_bytes, cycles=cycles)
