"""TRANSPOSE_CONV for every core, shape and type: for each output the inputs whose windows reach it."""

from __future__ import annotations

from typing import cast

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
from midge.ops.transpose_conv import TransposeConv


def bind(layer: Layer) -> Binding:
    """Weights as they are, OHWI."""
    op, (x, weights) = cast(TransposeConv, layer.op), layer.inputs[:2]
    filters, bias = constant_data(weights), bias_values(layer, weights.shape[0])
    params: dict[str, object] = dict(zip(("batch", "in_h", "in_w", "in_c"), x.shape, strict=True))
    params |= dict(zip(("out_c", "k_h", "k_w"), weights.shape, strict=False))
    params |= {"out_h": op.size[0], "out_w": op.size[1], "stride_h": op.stride[0], "stride_w": op.stride[1]}
    params |= {"top": op.padding[0][0], "left": op.padding[1][0], "is_float": is_float(layer)}
    if is_float(layer):
        params |= {"element": "float", "number": "float", "in_zero": 0, **float_clamp(op)}
        return Binding(params, (Constant("weights", "float", filters), Constant("bias", "float", bias)))
    factor = window_requantization(layer.inputs, layer.outputs[0], op.clamp)
    sums = integer_sums(bias, filters, x.q.zero_point, fold=False, dtype=x.dtype, wide=factor.wide)
    literals, tables = requantization_literals(factor, sums.reach, x.dtype.c_type)
    params |= {"element": x.dtype.c_type, "number": sums.number, "in_zero": sums.in_zero, **literals}
    return Binding(params, (Constant("weights", "int8_t", filters), sums.bias_constant, *tables))


VARIANT = Variant(__name__, fits=has_constant_weights, bind=bind)
