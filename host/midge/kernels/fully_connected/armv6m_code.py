"""FULLY_CONNECTED int8 of one row for Armv6-M with its weights as code: zeros cost nothing, powers of two no
multiplication, weights that a channel has often one (midge.kernels.thumb_code)."""

from __future__ import annotations

from midge.kernels.pixel_pairs import row_cycles
from midge.kernels.thumb_matrix import NEEDS, bound, matrix_bytes, matrix_cycles, pays
from midge.kernels.variant import Binding, Layer, Variant
from midge.kernels.weights_as_code import matrix_of


def fits(layer: Layer) -> bool:
    """int8 with constant weights, one row, quicker than the quickest kernel for any weights."""
    units, width = layer.inputs[1].shape
    return pays(matrix_of(layer), row_cycles(units, width), 2 * units * width)


def bind(layer: Layer) -> Binding:
    """The steps, and for each output its bias and what scales its sums."""
    return bound(matrix_of(layer))


def code_bytes(layer: Layer) -> int:
    """What the steps take."""
    return matrix_bytes(matrix_of(layer))


def cycles(layer: Layer) -> int:
    """What it takes on a Cortex-M0+, within a few of a hundred."""
    return matrix_cycles(matrix_of(layer))


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, code_bytes=code_bytes, cycles=cycles)
