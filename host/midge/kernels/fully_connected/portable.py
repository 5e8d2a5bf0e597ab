"""FULLY_CONNECTED for every core and shape, float32 and int8."""

from __future__ import annotations

from typing import cast

from midge.kernels.literals import (
    bias_values,
    constant_data,
    float_clamp,
    folded_bias,
    is_float,
    requantization_literals,
)
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.ops.fully_connected import FullyConnected, fully_connected_requantization


def fits(layer: Layer) -> bool:
    """Constant weights and bias."""
    return all(t.is_constant for t in layer.inputs[1:])


def bind(layer: Layer) -> Binding:
    """Weights as they are, one row per output; the input's zero point folded into the bias."""
    op, (x, weights) = cast(FullyConnected, layer.op), layer.inputs[:2]
    rows = constant_data(weights)
    bias = bias_values(layer, len(rows))
    params: dict[str, object] = {"batch": x.elements // rows.shape[1], "depth": rows.shape[1], "rows": rows.shape[0]}
    if is_float(layer):
        constants = (Constant("weights", "float", rows), Constant("bias", "float", bias))
        return Binding({**params, **float_clamp(op), "is_float": True}, constants)
    folded = folded_bias(bias, rows, x.q.zero_point)
    literals, tables = requantization_literals(fully_connected_requantization(op, layer.inputs, layer.outputs))
    params |= {"is_float": False, "in_zero": x.q.zero_point if folded is None else 0, **literals}
    constants = (
        Constant("weights", "int8_t", rows),
        Constant("bias", "int32_t", bias if folded is None else folded),
        *tables,
    )
    return Binding(params, constants)


VARIANT = Variant(__name__, fits=fits, bind=bind)
