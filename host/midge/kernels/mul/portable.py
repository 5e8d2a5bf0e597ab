"""MUL for every core and pair of shapes, float32, int8, int16 and int32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from midge.kernels.elementwise import bind_pair, computes_pair
from midge.kernels.literals import in_place, per_tensor, requantization_literals, span
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.mul import Mul


def bind(layer: Layer) -> Binding:
    """The zero points and the factor of the product."""
    return bind_pair(layer, lambda: _integers(layer))


def _integers(layer: Layer) -> Mapping[str, object]:
    p = cast(Mul, layer.op).parameters(layer.inputs, layer.outputs)
    factor, y = per_tensor(p.multiplier, p.shift, p.zero_point, p.low, p.high), layer.outputs[0].dtype
    literals, _ = requantization_literals(factor, span(y) ** 2, y.c_type)
    return {"zero0": p.zero_point1, "zero1": p.zero_point2, **literals}


VARIANT = Variant(__name__, fits=computes_pair, bind=bind, overlap=in_place)
