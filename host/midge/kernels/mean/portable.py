"""MEAN over any axes for every core and shape, float32, int8 and int16."""

from __future__ import annotations

from typing import cast

from midge.kernels.literals import is_either, is_float, per_tensor, requantization_literals, span
from midge.kernels.reduced_dims import reduced_loops
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.mean import Mean, mean_parameters


def bind(layer: Layer) -> Binding:
    """Loops over the kept dimensions around loops over the averaged ones."""
    op = cast(Mean, layer.op)
    loops, count = reduced_loops(layer.inputs[0].shape, op.axes)
    params = {**loops, "is_float": is_float(layer)}
    if is_float(layer):
        return Binding({**params, "count": count, "low": None, "high": None})
    p = mean_parameters(op, layer.inputs, layer.outputs)
    y = layer.outputs[0].dtype
    factor = per_tensor(p.multiplier, p.shift, p.output_zero_point, *y.limits)
    literals, _ = requantization_literals(factor, span(y) * p.count, y.c_type)
    return Binding({**params, "start": -p.count * p.input_zero_point, **literals})


VARIANT = Variant(__name__, fits=is_either, bind=bind)
