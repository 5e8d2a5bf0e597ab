"""LEAKY_RELU of float32, for every core."""

from __future__ import annotations

from typing import cast

from midge.kernels.literals import in_place, is_float
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.leaky_relu import LeakyRelu


def bind(layer: Layer) -> Binding:
    """The slope below zero."""
    op = cast(LeakyRelu, layer.op)
    return Binding({"elements": layer.outputs[0].elements, "alpha": op.alpha})


VARIANT = Variant(__name__, fits=is_float, bind=bind, overlap=in_place)
