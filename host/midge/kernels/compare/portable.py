"""Comparisons and logic of any pair of shapes, for every core and type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from midge.ir.tensor import DType
from midge.kernels.elementwise import bind_pair
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.families.comparison import LEFT_SHIFT, Comparison


def fits(layer: Layer) -> bool:
    """Any type that is compared."""
    return layer.outputs[0].dtype is DType.BOOL


def bind(layer: Layer) -> Binding:
    """The loops over both operands, and in int8 the factor of each."""
    op = cast(Comparison, layer.op)
    bound = bind_pair(layer, dict)
    operands = [_scaled(layer, i) if layer.inputs[0].dtype is DType.S8 else None for i in (0, 1)]
    return Binding({**bound.params, "symbol": op.symbol, "operands": operands}, bound.constants)


def _scaled(layer: Layer, index: int) -> Mapping[str, int]:
    multiplier, shift = cast(Comparison, layer.op).factors(layer.inputs)[index]
    zero = layer.inputs[index].q.zero_point
    return {"zero": zero, "unit": 1 << LEFT_SHIFT, "multiplier": multiplier, "right": -shift}


VARIANT = Variant(__name__, fits=fits, bind=bind)
