"""FULLY_CONNECTED for every core and shape, int8 and 16x8, with packed weights that are unpacked in registers."""

from __future__ import annotations

from midge.kernels.fully_connected import portable
from midge.kernels.packed import can_pack, code_bytes, with_packed_weights
from midge.kernels.variant import Binding, Layer, Variant


def bind(layer: Layer) -> Binding:
    """As the portable variant, the weights by output channels."""
    return with_packed_weights(portable.bind(layer), layer)


VARIANT = Variant(__name__, fits=can_pack, bind=bind, code_bytes=code_bytes, packed=True)
