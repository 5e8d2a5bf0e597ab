"""CONV_2D of floats, four channels at a time, see midge.kernels.float_quads."""

from __future__ import annotations

from midge.kernels.conv2d.portable import overlap
from midge.kernels.float_quads import NEEDS, bind_quads, fits_quads
from midge.kernels.geometry import joined_window
from midge.kernels.variant import Binding, Layer, Variant


def fits(layer: Layer) -> bool:
    """As fits_quads, without groups, and windows whose rows lie side by side in memory."""
    if not fits_quads(layer):
        return False
    x, weights = layer.inputs[:2]
    return x.shape[3] == weights.shape[3] and (joined_window(layer).dilation_w == 1 or weights.shape[2] == 1)


def bind(layer: Layer) -> Binding:
    """As bind_quads, with the sizes of the window."""
    made = bind_quads(layer)
    return Binding({**joined_window(layer).params, **made.params}, made.constants)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, overlap=overlap)
