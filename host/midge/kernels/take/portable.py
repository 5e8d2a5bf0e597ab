"""GATHER with run-time indices: slices copied element by element, for every core and type."""

from __future__ import annotations

from math import prod
from typing import cast

from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.take import Take


def bind(layer: Layer) -> Binding:
    """Loops before the axis, over the indices and over a slice."""
    op, (x, indices) = cast(Take, layer.op), layer.inputs
    sizes = {"outer": prod(x.shape[: op.axis]), "size": x.shape[op.axis], "inner": prod(x.shape[op.axis + 1 :])}
    return Binding({**sizes, "count": indices.elements, "index": indices.dtype.c_type})


VARIANT = Variant(__name__, fits=lambda layer: True, bind=bind)
