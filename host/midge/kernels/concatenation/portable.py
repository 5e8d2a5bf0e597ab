"""CONCATENATION along any axis, for every core and element type."""

from __future__ import annotations

from math import prod
from typing import cast

from midge.kernels.literals import constant_data, is_either
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.ops.concatenation import Concatenation


def bind(layer: Layer) -> Binding:
    """One run of each input after the other, for each position before the axis."""
    op = cast(Concatenation, layer.op)
    runs = [prod(t.shape[op.axis :]) for t in layer.inputs]
    constants = tuple(
        Constant(f"in{i}", t.dtype.c_type, constant_data(t)) for i, t in enumerate(layer.inputs) if t.is_constant
    )
    return Binding({"outer": prod(layer.outputs[0].shape[: op.axis]), "runs": runs}, constants)


VARIANT = Variant(__name__, fits=is_either, bind=bind)
