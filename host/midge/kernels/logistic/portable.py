"""LOGISTIC of float32, for every core."""

from __future__ import annotations

from midge.kernels.literals import in_place, is_float
from midge.kernels.variant import Binding, Layer, Variant


def bind(layer: Layer) -> Binding:
    """Nothing but the number of elements."""
    return Binding({"elements": layer.outputs[0].elements})


VARIANT = Variant(__name__, fits=is_float, bind=bind, overlap=in_place)
