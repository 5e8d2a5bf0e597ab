"""RELU, RELU6 and RELU_N1_TO_1 of float32 and int16, for every core; in int8 they are look-ups."""

from __future__ import annotations

from typing import cast

from midge.kernels.literals import (
    float_clamp,
    in_place,
    is_float,
    is_float_or_int16,
    per_tensor,
    requantization_literals,
)
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.relu import Relu, relu_parameters


def bind(layer: Layer) -> Binding:
    """The bounds, and in int16 the factor between the scales."""
    params: dict[str, object] = {"elements": layer.outputs[0].elements, "is_float": is_float(layer)}
    if is_float(layer):
        return Binding({**params, **float_clamp(layer.op)})
    p = relu_parameters(cast(Relu, layer.op), layer.inputs, layer.outputs)
    factor = per_tensor(p.multiplier, p.shift, p.output_zero_point, p.low, p.high)
    literals, _ = requantization_literals(factor, 1 << 15, layer.outputs[0].dtype.c_type)
    return Binding({**params, **literals})


VARIANT = Variant(__name__, fits=is_float_or_int16, bind=bind, overlap=in_place)
