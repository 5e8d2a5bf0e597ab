"""CUMSUM along any axis, for every core, float32 and int8."""

from __future__ import annotations

from math import prod
from typing import cast

from midge.kernels.literals import in_place, is_either, is_float, per_tensor, requantization_literals
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.cumsum import Cumsum


def bind(layer: Layer) -> Binding:
    """Loops before and behind the axis around the one along it, and the factor of int8 sums."""
    op, shape = cast(Cumsum, layer.op), layer.inputs[0].shape
    sizes = {"outer": prod(shape[: op.axis]), "size": shape[op.axis], "inner": prod(shape[op.axis + 1 :])}
    params = {**sizes, "exclusive": op.exclusive, "reverse": op.reverse, "is_float": is_float(layer)}
    if is_float(layer):
        return Binding(params)
    x, y = layer.inputs[0], layer.outputs[0]
    factor = per_tensor(*op.factor(layer.inputs, layer.outputs), y.q.zero_point, -128, 127)
    literals, _ = requantization_literals(factor, 255 * shape[op.axis])
    return Binding({**params, **literals, "zero": x.q.zero_point})


VARIANT = Variant(__name__, fits=is_either, bind=bind, overlap=in_place)
