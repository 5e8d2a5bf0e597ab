"""CONV_2D for every core and shape, float32 and int8: plain loops with literal bounds."""

from __future__ import annotations

from typing import cast

from midge.kernels.literals import (
    bias_values,
    constant_data,
    float_clamp,
    folded_bias,
    is_float,
    requantization_literals,
    window_literals,
)
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.numerics.requantize import requantization
from midge.ops.conv2d import Conv2D


def fits(layer: Layer) -> bool:
    """Constant weights and bias."""
    return all(t.is_constant for t in layer.inputs[1:])


def bind(layer: Layer) -> Binding:
    """Weights as they are, OHWI; the input's zero point folded into the bias where no window is padded."""
    op, (x, weights) = cast(Conv2D, layer.op), layer.inputs[:2]
    filters = constant_data(weights)
    bias = bias_values(layer, len(filters))
    params = window_literals(layer, (weights.shape[1], weights.shape[2]))
    params |= {"group_in": weights.shape[3], "group_out": weights.shape[0] // (x.shape[3] // weights.shape[3])}
    if is_float(layer):
        constants = (Constant("weights", "float", filters), Constant("bias", "float", bias))
        return Binding({**params, **float_clamp(op), "is_float": True}, constants)
    folded = None if params["padded"] else folded_bias(bias, filters, x.q.zero_point)
    literals, tables = requantization_literals(requantization(x, weights, layer.outputs[0], op.clamp))
    params |= {"is_float": False, "in_zero": x.q.zero_point if folded is None else 0, **literals}
    constants = (
        Constant("weights", "int8_t", filters),
        Constant("bias", "int32_t", bias if folded is None else folded),
        *tables,
    )
    return Binding(params, constants)


VARIANT = Variant(__name__, fits=fits, bind=bind)
