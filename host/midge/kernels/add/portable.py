"""ADD for every core and pair of shapes, float32, int8 and int16."""

from __future__ import annotations

from typing import cast

from midge.kernels.elementwise import bind_pair, sum_literals
from midge.kernels.literals import in_place, is_either
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.add import Add


def bind(layer: Layer) -> Binding:
    """Both operands at the common scale of the definition; operands without rounding are multiplied once."""
    op = cast(Add, layer.op)
    return bind_pair(
        layer, lambda: sum_literals(op.parameters(layer.inputs, layer.outputs), layer.outputs[0].dtype.c_type)
    )


VARIANT = Variant(__name__, fits=is_either, bind=bind, overlap=in_place)
