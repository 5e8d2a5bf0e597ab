"""DEQUANTIZE for every core: int8 or int16 to float32."""

from __future__ import annotations

from midge.ir.tensor import QUANTIZED, DType
from midge.kernels.variant import Binding, Layer, Variant


def fits(layer: Layer) -> bool:
    """To float32."""
    return layer.inputs[0].dtype in QUANTIZED and layer.outputs[0].dtype is DType.F32


def bind(layer: Layer) -> Binding:
    """The input's scale and zero point."""
    x = layer.inputs[0]
    return Binding({"elements": x.elements, "quant_scale": x.q.scale, "zero_point": x.q.zero_point})


def overlap(layer: Layer) -> int:
    """Each output is larger than what is read for it: the last write must not reach the last element read."""
    x, y = layer.inputs[0].dtype, layer.outputs[0].dtype
    return (y.bytes - x.bytes) * (layer.inputs[0].elements - 1)


VARIANT = Variant(__name__, fits=fits, bind=bind, overlap=overlap)
