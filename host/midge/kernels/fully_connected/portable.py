"""FULLY_CONNECTED for every core and shape, float32, int8 and 16x8."""

from __future__ import annotations

from typing import cast

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
from midge.ops.fully_connected import FullyConnected, fully_connected_requantization
from midge.ops.types import is_dynamic


def bind(layer: Layer) -> Binding:
    """Weights as they are, one row per output; the input's zero point folded into the bias."""
    op, (x, weights) = cast(FullyConnected, layer.op), layer.inputs[:2]
    rows, bias = constant_data(weights), bias_values(layer, weights.shape[0])
    params: dict[str, object] = {"batch": x.elements // rows.shape[1], "depth": rows.shape[1], "rows": rows.shape[0]}
    if is_dynamic(layer.inputs):
        literals, tables = dynamic_literals(layer, op.asymmetric)
        return Binding({**params, **literals}, tables)
    params |= {"dynamic": False}
    if is_float(layer):
        params |= {"is_float": True, "element": "float", "number": "float", **float_clamp(op)}
        return Binding(params, (Constant("weights", "float", rows), Constant("bias", "float", bias)))
    factor = fully_connected_requantization(op, layer.inputs, layer.outputs)
    sums = integer_sums(bias, rows, x.q.zero_point, fold=True, dtype=x.dtype, wide=factor.wide)
    literals, tables = requantization_literals(factor, sums.reach, x.dtype.c_type)
    params |= {"is_float": False, "element": x.dtype.c_type, "number": sums.number, **literals}
    return Binding(params, (Constant("weights", "int8_t", rows), sums.bias_constant, *tables))


def scratch_bytes(layer: Layer) -> int:
    """One row as int8, where ranges are found at run time."""
    return layer.inputs[1].shape[1] if is_dynamic(layer.inputs) else 0


VARIANT = Variant(__name__, fits=has_constant_weights, bind=bind, scratch_bytes=scratch_bytes)
