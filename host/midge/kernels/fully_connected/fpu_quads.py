"""FULLY_CONNECTED of floats, four outputs at a time, see midge.kernels.float_quads."""

from __future__ import annotations

from midge.kernels.float_quads import NEEDS, bind_quads, fits_quads
from midge.kernels.variant import Binding, Layer, Variant


def bind(layer: Layer) -> Binding:
    """As bind_quads, with the sizes of the product."""
    x, weights = layer.inputs[:2]
    made = bind_quads(layer)
    depth = weights.shape[1]
    return Binding({"batch": x.elements // depth, "depth": depth, **made.params}, made.constants)


VARIANT = Variant(__name__, fits=fits_quads, bind=bind, needs=NEEDS)
