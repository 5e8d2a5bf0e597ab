"""LOG_SOFTMAX of float32, for every core and shape."""

from __future__ import annotations

from midge.kernels.literals import in_place, is_float
from midge.kernels.variant import Binding, Layer, Variant


def bind(layer: Layer) -> Binding:
    """Rows of the last dimension."""
    shape = layer.inputs[0].shape
    return Binding({"rows": layer.inputs[0].elements // shape[-1], "depth": shape[-1]})


VARIANT = Variant(__name__, fits=is_float, bind=bind, overlap=in_place)
