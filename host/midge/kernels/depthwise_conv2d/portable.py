"""DEPTHWISE_CONV_2D for every core and shape, float32, int8 and 16x8: plain loops with literal bounds."""

from __future__ import annotations

from typing import cast

import numpy as np

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
from midge.ops.depthwise_conv2d import DepthwiseConv2D


def bind(layer: Layer) -> Binding:
    """Weights as they are, 1HWC; the input's zero point folded into the bias where no window is padded."""
    op, (x, weights) = cast(DepthwiseConv2D, layer.op), layer.inputs[:2]
    filters, bias = constant_data(weights), bias_values(layer, weights.shape[3])
    window = pixels_joined(window_of(layer, (weights.shape[1], weights.shape[2])))
    params = {**window.params, "multiplicity": weights.shape[3] // x.shape[3]}
    if is_float(layer):
        params |= {"is_float": True, "element": "float", "number": "float", "in_zero": 0, **float_clamp(op)}
        return Binding(params, (Constant("weights", "float", filters), Constant("bias", "float", bias)))
    factor = window_requantization(layer.inputs, layer.outputs[0], op.clamp)
    rows, fold = np.moveaxis(filters, 3, 0), not window.is_clipped
    sums = integer_sums(bias, rows, x.q.zero_point, fold=fold, dtype=x.dtype, wide=factor.wide)
    literals, tables = requantization_literals(factor, sums.reach, x.dtype.c_type)
    params |= {"is_float": False, "element": x.dtype.c_type, "number": sums.number, "in_zero": sums.in_zero, **literals}
    return Binding(params, (Constant("weights", "int8_t", filters), sums.bias_constant, *tables))


def overlap(layer: Layer) -> int:
    """Each channel of a window is read for its own output channels alone."""
    return window_overlap(layer, channelwise=layer.inputs[0].shape[3] == layer.outputs[0].shape[3])


VARIANT = Variant(__name__, fits=has_constant_weights, bind=bind, overlap=overlap)
