"""Convolutions. torch has channels first; in the memory format that is called channels last nothing is moved for it."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F

from midge.train.forms import Layer, Value, clamped


def images(x: Value) -> Value:
    """(samples, N, H, W, C) as torch wants images: (samples * N, C, H, W)."""
    return x.flatten(0, 1).permute(0, 3, 1, 2)


def from_images(y: Value, samples: int) -> Value:
    """The way back."""
    y = y.permute(0, 2, 3, 1)
    return y.reshape(samples, y.shape[0] // samples, *y.shape[1:])


def padded(x: Value, padding: tuple[tuple[int, int], tuple[int, int]], fill: float = 0.0) -> Value:
    """Images with a border; where torch could do it while it convolves that would be for equal sides alone."""
    (top, bottom), (left, right) = padding
    return F.pad(x, (left, right, top, bottom), value=fill) if any((top, bottom, left, right)) else x


def conv2d(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """Weights (O, KH, KW, C / groups)."""
    x, weights, *bias = values
    groups = layer.inputs[0].shape[3] // layer.inputs[1].shape[3]
    return [_convolved(layer, x, weights[0].permute(0, 3, 1, 2), bias, groups)]


def depthwise_conv2d(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """Weights (1, KH, KW, C * multiplier)."""
    x, weights, *bias = values
    return [_convolved(layer, x, weights[0].permute(3, 0, 1, 2), bias, layer.inputs[0].shape[3])]


def _convolved(layer: Layer, x: Value, kernel: Value, bias: Sequence[Value], groups: int) -> Value:
    op = layer.op
    (top, bottom), (left, right) = op.padding
    even = (top, left) == (bottom, right)
    inside, given = ((top, left), images(x)) if even else ((0, 0), padded(images(x), op.padding))
    offset = bias[0][0] if bias else None
    y = F.conv2d(given, kernel, offset, op.stride, inside, op.dilation, groups)
    return from_images(clamped(y, op.clamp), len(x))


def transpose_conv(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """Weights (O, KH, KW, C). The padding is cut off the spread windows; beyond them there is bias."""
    x, weights, *bias = values
    op = layer.op
    (top, _), (left, _) = op.padding
    y = F.conv_transpose2d(images(x), weights[0].permute(3, 0, 1, 2), stride=op.stride)
    y = y[:, :, top : top + op.size[0], left : left + op.size[1]]
    y = F.pad(y, (0, op.size[1] - y.shape[3], 0, op.size[0] - y.shape[2]))
    if bias:
        y = y + bias[0][0][:, None, None]
    return [from_images(clamped(y, op.clamp), len(x))]


FORMS = {"conv2d": conv2d, "depthwise_conv2d": depthwise_conv2d, "transpose_conv": transpose_conv}
