"""CUMSUM of float32 along any axis, for every core."""

from __future__ import annotations

from math import prod
from typing import cast

from midge.kernels.literals import in_place, is_float
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.cumsum import Cumsum


def bind(layer: Layer) -> Binding:
    """Loops before and behind the axis around the one along it."""
    op, shape = cast(Cumsum, layer.op), layer.inputs[0].shape
    sizes = {"outer": prod(shape[: op.axis]), "size": shape[op.axis], "inner": prod(shape[op.axis + 1 :])}
    return Binding({**sizes, "exclusive": op.exclusive, "reverse": op.reverse})


VARIANT = Variant(__name__, fits=is_float, bind=bind, overlap=in_place)
