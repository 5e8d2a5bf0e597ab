"""FULLY_CONNECTED for every core and shape, int8 and 16x8, with weights as codes of variable length."""

from __future__ import annotations

from midge.kernels.coded import can_code, code_bytes, with_coded_weights
from midge.kernels.fully_connected import portable
from midge.kernels.variant import Binding, Layer, Variant


def bind(layer: Layer) -> Binding:
    """As the portable variant, the weights as codes."""
    return with_coded_weights(portable.bind(layer), layer)


VARIANT = Variant(__name__, fits=can_code, bind=bind, code_bytes=code_bytes, packed=True, slow=True)
