"""Pools, and operators that make one value of many over some axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from midge.train.forms import Form, Layer, Value, clamped
from midge.train.forms.windows import from_images, images, padded


def average_pool2d(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """The border counts for nothing."""
    op, x = layer.op, images(values[0])
    if not any(n for pair in op.padding for n in pair):
        y = F.avg_pool2d(x, op.kernel, op.stride)
    else:
        sums = F.avg_pool2d(padded(x, op.padding), op.kernel, op.stride, divisor_override=1)
        if "counts" not in layer.kept:
            ones = padded(torch.ones(1, 1, *x.shape[2:]), op.padding)
            layer.kept["counts"] = F.avg_pool2d(ones, op.kernel, op.stride, divisor_override=1)
        y = sums / layer.kept["counts"]
    return [from_images(clamped(y, op.clamp), len(values[0]))]


def max_pool2d(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """The border is below everything."""
    op = layer.op
    x = padded(images(values[0]), op.padding, -float("inf"))
    y = F.max_pool2d(x, op.kernel, op.stride, dilation=op.dilation)
    return [from_images(clamped(y, op.clamp), len(values[0]))]


def _reduction(function: Callable[[Value, list[int], bool], Value]) -> Form:
    def form(layer: Layer, values: Sequence[Value]) -> list[Value]:
        axes = [1 + axis for axis in layer.op.axes]
        return [function(values[0], axes, layer.op.keep_dims) if axes else values[0]]

    return form


def _product(x: Value, axes: list[int], keep: bool) -> Value:
    for axis in reversed(axes):
        x = torch.prod(x, axis, keepdim=keep)
    return x


def cumsum(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """From either end, with each one's own value or without."""
    axis, x = 1 + layer.op.axis, values[0]
    ahead = x.flip(axis) if layer.op.reverse else x
    sums = torch.cumsum(ahead, axis) - (ahead if layer.op.exclusive else 0)
    return [sums.flip(axis) if layer.op.reverse else sums]


def _arg(function: Callable[..., Value]) -> Form:
    return lambda layer, values: [function(values[0], dim=1 + layer.op.axis)]


FORMS: dict[str, Form] = {
    "arg_max": _arg(torch.argmax),
    "arg_min": _arg(torch.argmin),
    "average_pool2d": average_pool2d,
    "cumsum": cumsum,
    "max_pool2d": max_pool2d,
    "mean": _reduction(lambda x, axes, keep: torch.mean(x, axes, keepdim=keep)),
    "reduce_max": _reduction(lambda x, axes, keep: torch.amax(x, axes, keepdim=keep)),
    "reduce_min": _reduction(lambda x, axes, keep: torch.amin(x, axes, keepdim=keep)),
    "reduce_prod": _reduction(_product),
    "sum": _reduction(lambda x, axes, keep: torch.sum(x, axes, keepdim=keep)),
}
