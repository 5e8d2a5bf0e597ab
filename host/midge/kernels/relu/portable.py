"""RELU, RELU6 and RELU_N1_TO_1 of float32, for every core."""

from __future__ import annotations

from midge.kernels.literals import float_clamp, in_place, is_float
from midge.kernels.variant import Binding, Layer, Variant


def bind(layer: Layer) -> Binding:
    """The bounds."""
    return Binding({"elements": layer.outputs[0].elements, **float_clamp(layer.op)})


VARIANT = Variant(__name__, fits=is_float, bind=bind, overlap=in_place)
