"""MAX_POOL_2D for every core and shape, float32, int8 and int16."""

from __future__ import annotations

from typing import cast

from midge.kernels.geometry import window_of, window_overlap
from midge.kernels.literals import float_clamp, is_either, is_float
from midge.kernels.variant import Binding, Layer, Variant
from midge.numerics.fixed_point import integer_clamp
from midge.ops.max_pool2d import MaxPool2D


def bind(layer: Layer) -> Binding:
    """The search starts at the lower bound of the fused activation, which is then never passed; None: no upper one."""
    op, y = cast(MaxPool2D, layer.op), layer.outputs[0]
    params = window_of(layer, op.kernel).params
    if is_float(layer):
        return Binding({**params, "is_float": True, "element": "float", **float_clamp(op)})
    low, high = integer_clamp(op.clamp, y.q, y.dtype)
    upper = None if high == y.dtype.limits[1] else high
    return Binding({**params, "is_float": False, "element": y.dtype.c_type, "low": low, "high": upper})


def overlap(layer: Layer) -> int:
    """Each output channel reads its own input channel."""
    return window_overlap(layer, channelwise=True)


VARIANT = Variant(__name__, fits=is_either, bind=bind, overlap=overlap)
