"""CONCATENATION and PACK along any axis, for every core and element type."""

from __future__ import annotations

from math import prod
from typing import cast

from midge.kernels.literals import constant_data
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.ops.concatenation import Concatenation
from midge.ops.pack import Pack


def fits(layer: Layer) -> bool:
    """Any type, moved as it is."""
    return len({t.dtype for t in (*layer.inputs, *layer.outputs)}) == 1


def bind(layer: Layer) -> Binding:
    """One run of each input after the other, for each position before the axis."""
    op = cast(Concatenation | Pack, layer.op)
    runs = [prod(t.shape[op.axis :]) for t in layer.inputs]
    constants = tuple(
        Constant(f"in{i}", t.dtype.c_type, constant_data(t)) for i, t in enumerate(layer.inputs) if t.is_constant
    )
    return Binding({"outer": prod(layer.outputs[0].shape[: op.axis]), "runs": runs}, constants)


VARIANT = Variant(__name__, fits=fits, bind=bind)
