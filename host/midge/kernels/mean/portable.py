"""MEAN over any axes for every core and shape, float32 and int8."""

from __future__ import annotations

from typing import cast

from midge.kernels.literals import is_either, is_float, per_tensor, requantization_literals
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
    factor = per_tensor(p.multiplier, p.shift, p.output_zero_point, -128, 127)
    literals, _ = requantization_literals(factor, 255 * p.count)
    return Binding({**params, "start": -p.count * p.input_zero_point, **literals})


VARIANT = Variant(__name__, fits=is_either, bind=bind)
