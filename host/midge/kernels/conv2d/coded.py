"""CONV_2D for every core, int8 and 16x8, with weights as codes of variable length: the weights of one output channel
are decoded and applied to all pixels, then those of the next."""

from __future__ import annotations

from midge.kernels.coded import can_code, code_bytes, with_coded_weights
from midge.kernels.conv2d import portable
from midge.kernels.variant import Binding, Layer, Variant

# Bytes of a channel's weights that are always allowed, and which part of the layer's tensors beyond.
_ROW, _PART = 256, 8


def fits(layer: Layer) -> bool:
    """Codes that save bytes, and a channel's weights small beside what the layer reads and writes."""
    most = max(_ROW, (layer.inputs[0].bytes + layer.outputs[0].bytes) // _PART)
    return can_code(layer) and scratch_bytes(layer) <= most


def bind(layer: Layer) -> Binding:
    """As the portable variant, the weights as codes."""
    return with_coded_weights(portable.bind(layer), layer)


def scratch_bytes(layer: Layer) -> int:
    """The weights of one output channel."""
    weights = layer.inputs[1]
    return weights.elements // weights.shape[0]


VARIANT = Variant(
    __name__, fits=fits, bind=bind, code_bytes=code_bytes, scratch_bytes=scratch_bytes, packed=True, slow=True
)
