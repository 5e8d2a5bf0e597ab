"""MAX_POOL_2D int8 for AVR: one channel after the other, bytes compared with bytes, no index computed."""

from __future__ import annotations

from typing import cast

from midge.kernels.byte_blocks import NEEDS
from midge.kernels.geometry import window_of
from midge.kernels.literals import is_int8
from midge.kernels.max_pool2d import portable
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.max_pool2d import MaxPool2D

_MOST = 255


def fits(layer: Layer) -> bool:
    """int8, windows whose sides a byte counts."""
    return is_int8(layer) and max(cast(MaxPool2D, layer.op).kernel) <= _MOST


def bind(layer: Layer) -> Binding:
    """As the portable kernel, and how far apart taps lie."""
    params = portable.bind(layer).params
    window = window_of(layer, cast(MaxPool2D, layer.op).kernel)
    step, across = window.dilation_w * window.in_c, window.dilation_h * window.in_w * window.in_c
    high = params["high"]
    return Binding({**params, "step": step, "across": across, "high": 127 if high is None else high})


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, overlap=portable.overlap)
