"""AVERAGE_POOL_2D for every core and shape, float32, int8 and int16."""

from __future__ import annotations

from typing import cast

from midge.kernels.geometry import window_of, window_overlap
from midge.kernels.literals import float_clamp, is_either, is_float
from midge.kernels.variant import Binding, Layer, Variant
from midge.numerics.fixed_point import integer_clamp
from midge.ops.average_pool2d import AveragePool2D


def bind(layer: Layer) -> Binding:
    """The sum of raw values over the count of those inside the input; the zero point is the same on both sides."""
    op, y = cast(AveragePool2D, layer.op), layer.outputs[0]
    params = window_of(layer, op.kernel).params | {"lift": 128 if op.halves_up else 0}
    if is_float(layer):
        return Binding({**params, "is_float": True, "element": "float", "number": "float", **float_clamp(op)})
    low, high = integer_clamp(op.clamp, y.q, y.dtype)
    bounds = {"before": 0, "low": low, "high": high, "after": 0}
    clamps = (low, high) != y.dtype.limits
    params |= {
        "is_float": False,
        "element": y.dtype.c_type,
        "out_type": y.dtype.c_type,
        "number": "int32_t",
    }
    return Binding({**params, "clamp": bounds, "clamps": clamps})


def overlap(layer: Layer) -> int:
    """Each output channel reads its own input channel."""
    return window_overlap(layer, channelwise=True)


VARIANT = Variant(__name__, fits=is_either, bind=bind, overlap=overlap)
