"""ARG_MAX and ARG_MIN along any axis, for every core and type."""

from __future__ import annotations

from math import prod
from typing import cast

from midge.ir.tensor import DType
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.families.arg import Arg


def fits(layer: Layer) -> bool:
    """To int32."""
    return layer.outputs[0].dtype is DType.S32


def bind(layer: Layer) -> Binding:
    """Loops before and behind the axis around the one along it."""
    op, shape = cast(Arg, layer.op), layer.inputs[0].shape
    sizes = {"outer": prod(shape[: op.axis]), "size": shape[op.axis], "inner": prod(shape[op.axis + 1 :])}
    return Binding({**sizes, "sign": ">" if op.kind == "arg_max" else "<"})


VARIANT = Variant(__name__, fits=fits, bind=bind)
