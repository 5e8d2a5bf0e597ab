"""GATHER with run-time indices: slices copied element by element, for every core and type."""

from __future__ import annotations

from math import prod
from typing import cast

from midge.kernels.literals import constant_data
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.ops.take import Take


def bind(layer: Layer) -> Binding:
    """Loops before the axis, over the indices and over a slice. A constant input is the array in its place."""
    op, (x, indices) = cast(Take, layer.op), layer.inputs
    sizes = {"outer": prod(x.shape[: op.axis]), "size": x.shape[op.axis], "inner": prod(x.shape[op.axis + 1 :])}
    constants = tuple(
        Constant(f"in{i}", t.dtype.c_type, constant_data(t)) for i, t in enumerate(layer.inputs) if t.is_constant
    )
    return Binding({**sizes, "count": indices.elements, "index": indices.dtype.c_type}, constants)


VARIANT = Variant(__name__, fits=lambda layer: True, bind=bind)
