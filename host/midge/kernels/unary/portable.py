"""All functions of one float32 value, for every core; in int8 they are look-ups (midge.passes.tables_for_unary)."""

from __future__ import annotations

from typing import cast

from midge.kernels.literals import in_place, is_float
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.families.unary import Unary


def bind(layer: Layer) -> Binding:
    """The function by its name, and the number of elements."""
    return Binding({"elements": layer.outputs[0].elements, "function": cast(Unary, layer.op).function})


VARIANT = Variant(__name__, fits=is_float, bind=bind, overlap=in_place)
