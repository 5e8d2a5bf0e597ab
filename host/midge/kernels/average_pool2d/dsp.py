"""AVERAGE_POOL_2D on int8 for cores with 16-bit SIMD: four channels at a time, summed up in int16 lanes.

When the channels are no multiple of four, the last group begins inside the one before it and does some of its outputs
again.
"""

from __future__ import annotations

from typing import cast

from midge.kernels.geometry import Window, window_of
from midge.kernels.literals import is_int8
from midge.kernels.variant import Binding, Layer, Variant
from midge.numerics.fixed_point import integer_clamp
from midge.ops.average_pool2d import AveragePool2D

LANES = 4
# As many int8 as an int16 holds the sum of.
_MOST_VALUES = 256


def _window(layer: Layer) -> Window:
    return window_of(layer, cast(AveragePool2D, layer.op).kernel)


def fits(layer: Layer) -> bool:
    """Int8, four channels or more, at most 256 values in a window, none of them padding."""
    if not is_int8(layer) or cast(AveragePool2D, layer.op).halves_up:
        return False
    w = _window(layer)
    return w.in_c >= LANES and w.k_h * w.k_w <= _MOST_VALUES and not w.is_clipped


def bind(layer: Layer) -> Binding:
    """The window as runs of pixels that lie one behind the other."""
    op, y, w = cast(AveragePool2D, layer.op), layer.outputs[0], _window(layer)
    low, high = integer_clamp(op.clamp, y.q, y.dtype)
    # A window as wide as the input is one run.
    runs, pixels = (1, w.k_h * w.k_w) if w.k_w == w.in_w else (w.k_h, w.k_w)
    params = {
        **w.params,
        "runs": runs,
        "pixels": pixels,
        "clamp": {"before": 0, "low": low, "high": high, "after": 0},
        "clamps": (low, high) != y.dtype.limits,
    }
    return Binding(params)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=frozenset({"dsp", "unaligned"}))
