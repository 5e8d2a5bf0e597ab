"""SUB for every core and pair of shapes, float32, int8, int16 and int32."""

from __future__ import annotations

from typing import cast

from midge.kernels.elementwise import bind_pair, computes_pair, sum_literals
from midge.kernels.literals import in_place
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.sub import Sub


def bind(layer: Layer) -> Binding:
    """Both operands at the common scale of the definition; operands without rounding are multiplied once."""
    op = cast(Sub, layer.op)
    return bind_pair(
        layer, lambda: sum_literals(op.parameters(layer.inputs, layer.outputs), layer.outputs[0].dtype.c_type)
    )


VARIANT = Variant(__name__, fits=computes_pair, bind=bind, overlap=in_place)
