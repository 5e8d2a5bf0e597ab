"""AVERAGE_POOL_2D int8 for AVR: sums and quotients of 16 bits, one channel after the other, no index computed."""

from __future__ import annotations

from typing import cast

from midge.kernels.average_pool2d import portable
from midge.kernels.byte_blocks import NEEDS
from midge.kernels.geometry import window_of
from midge.kernels.literals import is_int8
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.average_pool2d import AveragePool2D

# 255 times 128, and half of 255, are 32,767.
_MOST_TAPS = 255


def fits(layer: Layer) -> bool:
    """int8, halves away from zero, sums of 16 bits."""
    op = cast(AveragePool2D, layer.op)
    return is_int8(layer) and not op.halves_up and op.kernel[0] * op.kernel[1] <= _MOST_TAPS


def bind(layer: Layer) -> Binding:
    """As the portable kernel, and how far apart taps lie."""
    window = window_of(layer, cast(AveragePool2D, layer.op).kernel)
    return Binding({**portable.bind(layer).params, "step": window.in_c, "across": window.in_w * window.in_c})


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, overlap=portable.overlap)
