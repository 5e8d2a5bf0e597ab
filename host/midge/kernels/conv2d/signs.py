"""CONV_2D of activations and weights that take two values each: exclusive or and a count, on every core."""

from __future__ import annotations

from typing import cast

from midge.kernels.geometry import Window, window_of
from midge.kernels.literals import requantization_of
from midge.kernels.signs import Signs, bind_signs
from midge.kernels.signs import signs as signs_of
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.conv2d import Conv2D


def fits(layer: Layer) -> bool:
    """int8 that is known to be signs, times binary weights; one image, no groups, no dilation in width."""
    op, (x, weights) = cast(Conv2D, layer.op), layer.inputs[:2]
    plain = x.shape[0] == 1 and x.shape[3] == weights.shape[3] and op.dilation[1] == 1
    return plain and _signs(layer) is not None


def bind(layer: Layer) -> Binding:
    """The signs of the weights, tap by tap."""
    made = _signs(layer)
    assert made is not None
    r = requantization_of(layer)
    binding = bind_signs(layer, made, r)
    return Binding({**_window(layer).params, **binding.params}, binding.constants)


def scratch_bytes(layer: Layer) -> int:
    """The signs of the image, pixel by pixel."""
    x = layer.inputs[0].shape
    return 4 * x[1] * x[2] * -(-x[3] // 32)


def _window(layer: Layer) -> Window:
    weights = layer.inputs[1].shape
    return window_of(layer, (weights[1], weights[2]))


def _signs(layer: Layer) -> Signs | None:
    return signs_of(layer, layer.inputs[1].shape[3], not _window(layer).is_clipped)


def overlap(layer: Layer) -> int:
    """All signs are in scratch memory before the first output is written."""
    return -layer.inputs[0].bytes


VARIANT = Variant(__name__, fits=fits, bind=bind, scratch_bytes=scratch_bytes, overlap=overlap, signs=True)
