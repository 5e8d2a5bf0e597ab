"""SUM, REDUCE_MAX, REDUCE_MIN and REDUCE_PROD over any axes, for every core and shape, float32 and int8."""

from __future__ import annotations

from typing import cast

from midge.kernels.literals import is_either, is_float, per_tensor, requantization_literals
from midge.kernels.reduced_dims import reduced_loops
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.families.reduction import Reduction
from midge.ops.reduce_prod import ReduceProd
from midge.ops.sum import Sum


def bind(layer: Layer) -> Binding:
    """The loops, the operator's kind, and the factor of an int8 sum."""
    op, (x, y) = cast(Reduction, layer.op), (layer.inputs[0], layer.outputs[0])
    loops, count = reduced_loops(x.shape, op.axes)
    params = {**loops, "kind": op.kind, "element": x.dtype.c_type, "is_float": is_float(layer)}
    if isinstance(op, ReduceProd) and not is_float(layer):
        multiplier, shift = op.factor(layer.inputs, layer.outputs)
        zeros = {"in_zero": x.q.zero_point, "out_zero": y.q.zero_point}
        return Binding({**params, **zeros, "reduced": min((multiplier + (1 << 15)) >> 16, 0x7FFF), "total": 15 - shift})
    if is_float(layer) or not isinstance(op, Sum):
        return Binding(params)
    factor = per_tensor(*op.factor(layer.inputs, layer.outputs), y.q.zero_point, -128, 127)
    literals, _ = requantization_literals(factor, 255 * count)
    return Binding({**params, "start": -count * x.q.zero_point, **literals})


VARIANT = Variant(__name__, fits=is_either, bind=bind)
