"""CONV_2D for every core and shape, float32, int8 and 16x8: plain loops with literal bounds."""

from __future__ import annotations

from typing import cast

from midge.kernels.geometry import pixels_joined, window_of, window_overlap
from midge.kernels.literals import (
    bias_values,
    constant_data,
    float_clamp,
    has_constant_weights,
    integer_sums,
    is_float,
    requantization_literals,
)
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.numerics.requantize import window_requantization
from midge.ops.conv2d import Conv2D


def bind(layer: Layer) -> Binding:
    """Weights as they are, OHWI; the input's zero point folded into the bias where no window is padded."""
    op, (x, weights) = cast(Conv2D, layer.op), layer.inputs[:2]
    filters, bias = constant_data(weights), bias_values(layer, weights.shape[0])
    window = pixels_joined(window_of(layer, (weights.shape[1], weights.shape[2])))
    group_out = weights.shape[0] // (x.shape[3] // weights.shape[3])
    params = {**window.params, "group_in": weights.shape[3], "group_out": group_out}
    if is_float(layer):
        params |= {"is_float": True, "element": "float", "number": "float", "in_zero": 0, **float_clamp(op)}
        return Binding(params, (Constant("weights", "float", filters), Constant("bias", "float", bias)))
    factor = window_requantization(layer.inputs, layer.outputs[0], op.clamp)
    sums = integer_sums(bias, filters, x.q.zero_point, fold=not window.is_clipped, dtype=x.dtype, wide=factor.wide)
    literals, tables = requantization_literals(factor, sums.reach, x.dtype.c_type)
    params |= {"is_float": False, "element": x.dtype.c_type, "number": sums.number, "in_zero": sums.in_zero, **literals}
    return Binding(params, (Constant("weights", "int8_t", filters), sums.bias_constant, *tables))


def overlap(layer: Layer) -> int:
    """All channels of a window are read for each output channel."""
    return window_overlap(layer, channelwise=False)


VARIANT = Variant(__name__, fits=has_constant_weights, bind=bind, overlap=overlap)
