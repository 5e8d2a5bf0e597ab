"""LEAKY_RELU of float32 and int16, for every core; in int8 it is a look-up (midge.passes.tables_for_unary)."""

from __future__ import annotations

from typing import cast

from midge.kernels.literals import in_place, is_float, is_float_or_int16
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.leaky_relu import LeakyRelu, leaky_relu_parameters


def bind(layer: Layer) -> Binding:
    """The slope below zero, or the factors of both sides."""
    op = cast(LeakyRelu, layer.op)
    params: dict[str, object] = {"elements": layer.outputs[0].elements, "is_float": is_float(layer)}
    if is_float(layer):
        return Binding({**params, "alpha": op.alpha})
    p = leaky_relu_parameters(op, layer.inputs, layer.outputs)
    identity, below = (p.identity_multiplier, p.identity_shift), (p.alpha_multiplier, p.alpha_shift)
    return Binding({**params, "identity": identity, "below": below})


VARIANT = Variant(__name__, fits=is_float_or_int16, bind=bind, overlap=in_place)
