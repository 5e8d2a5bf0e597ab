"""POW of any pair of shapes, for every core, float32, int8 and int32."""

from __future__ import annotations

from typing import cast

from midge.ir.tensor import DType
from midge.kernels.elementwise import bind_pair, computes_pair
from midge.kernels.literals import in_place
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.ops.pow import Pow


def bind(layer: Layer) -> Binding:
    """The loops over both operands, and in int8 three tables and the zero points."""
    if layer.outputs[0].dtype is not DType.S8:
        return bind_pair(layer, dict)
    p = cast(Pow, layer.op).parameters(layer.inputs, layer.outputs)
    zeros = {"x_zero": p.zero_point1, "y_zero": p.zero_point2, "zero": p.zero_point}
    bound = bind_pair(layer, lambda: zeros)
    tables = (
        Constant("logs", "int32_t", p.logs),
        Constant("borders", "int32_t", p.borders),
        Constant("parities", "int8_t", p.parities),
    )
    return Binding(bound.params, (*bound.constants, *tables))


VARIANT = Variant(__name__, fits=computes_pair, bind=bind, overlap=in_place)
