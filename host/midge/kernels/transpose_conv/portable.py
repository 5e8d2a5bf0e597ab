"""TRANSPOSE_CONV for every core and shape, float32 and int8: for each output the inputs whose windows reach it."""

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
from midge.numerics.requantize import requantization
from midge.ops.transpose_conv import TransposeConv


def bind(layer: Layer) -> Binding:
    """Weights as they are, OHWI."""
    op, (x, weights), y = cast(TransposeConv, layer.op), layer.inputs[:2], layer.outputs[0]
    filters, bias = constant_data(weights), bias_values(layer, weights.shape[0])
    params: dict[str, object] = dict(zip(("batch", "in_h", "in_w", "in_c"), x.shape, strict=True))
    params |= dict(zip(("out_c", "k_h", "k_w"), weights.shape, strict=False))
    params |= {"out_h": op.size[0], "out_w": op.size[1], "stride_h": op.stride[0], "stride_w": op.stride[1]}
    params |= {"top": op.padding[0][0], "left": op.padding[1][0], "is_float": is_float(layer)}
    if is_float(layer):
        params |= {"element": "float", "number": "float", "in_zero": 0, **float_clamp(op)}
        return Binding(params, (Constant("weights", "float", filters), Constant("bias", "float", bias)))
    sums = integer_sums(bias, filters, x.q.zero_point, fold=False)
    literals, tables = requantization_literals(requantization(x, weights, y, op.clamp), sums.reach)
    params |= {"element": "int8_t", "number": sums.number, "in_zero": sums.in_zero, **literals}
    return Binding(params, (Constant("weights", "int8_t", filters), Constant("bias", "int32_t", sums.bias), *tables))


VARIANT = Variant(__name__, fits=has_constant_weights, bind=bind)
