"""LOOKUP of int8, for every core: a table of 256 bytes in flash."""

from __future__ import annotations

from midge.kernels.literals import constant_data, in_place, is_int8
from midge.kernels.variant import Binding, Constant, Layer, Variant


def bind(layer: Layer) -> Binding:
    """The table as it is."""
    table = Constant("table", "int8_t", constant_data(layer.inputs[1]))
    return Binding({"elements": layer.outputs[0].elements}, (table,))


VARIANT = Variant(__name__, fits=is_int8, bind=bind, overlap=in_place)
