"""DEPTHWISE_CONV_2D for every core and shape, float32, int8 and 16x8: plain loops with literal bounds."""

from __future__ import annotations

from typing import cast

import numpy as np

from midge.kernels.geometry import pixels_joined, window_of, window_overlap
from midge.kernels.literals import (
    bias_values,
    constant_data,
    dynamic_literals,
    float_clamp,
    has_constant_weights,
    integer_sums,
    is_float,
    requantization_literals,
)
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.numerics.requantize import window_requantization
from midge.ops.depthwise_conv2d import DepthwiseConv2D
from midge.ops.types import dynamic_is_asymmetric, is_dynamic


def bind(layer: Layer) -> Binding:
    """Weights as they are, 1HWC; the input's zero point folded into the bias where no window is padded."""
    op, (x, weights) = cast(DepthwiseConv2D, layer.op), layer.inputs[:2]
    filters, bias = constant_data(weights), bias_values(layer, weights.shape[3])
    window = window_of(layer, (weights.shape[1], weights.shape[2]))
    window = window if is_dynamic(layer.inputs) else pixels_joined(window)
    params = {**window.params, "multiplicity": weights.shape[3] // x.shape[3]}
    if is_dynamic(layer.inputs):
        literals, tables = dynamic_literals(layer, dynamic_is_asymmetric(weights))
        return Binding({**params, **literals, "batch": x.shape[0], "image": x.elements // x.shape[0]}, tables)
    params |= {"dynamic": False}
    if is_float(layer):
        params |= {"is_float": True, "element": "float", "number": "float", "in_zero": 0, **float_clamp(op)}
        return Binding(params, (Constant("weights", "float", filters), Constant("bias", "float", bias)))
    factor = window_requantization(layer.inputs, layer.outputs[0], op.clamp)
    rows, fold = np.moveaxis(filters, 3, 0), not window.is_clipped
    sums = integer_sums(bias, rows, x.q.zero_point, fold=fold, dtype=x.dtype, wide=factor.wide)
    literals, tables = requantization_literals(factor, sums.reach, x.dtype.c_type)
    params |= {"is_float": False, "element": x.dtype.c_type, "number": sums.number, "in_zero": sums.in_zero, **literals}
    return Binding(params, (Constant("weights", "int8_t", filters), sums.bias_constant, *tables))


def overlap(layer: Layer) -> int | None:
    """Each channel of a window is read for its own output channels alone."""
    if is_dynamic(layer.inputs):
        return None
    return window_overlap(layer, channelwise=layer.inputs[0].shape[3] == layer.outputs[0].shape[3])


def scratch_bytes(layer: Layer) -> int:
    """One image as int8, where ranges are found at run time."""
    x = layer.inputs[0]
    return x.elements // x.shape[0] if is_dynamic(layer.inputs) else 0


VARIANT = Variant(__name__, fits=has_constant_weights, bind=bind, scratch_bytes=scratch_bytes, overlap=overlap)
