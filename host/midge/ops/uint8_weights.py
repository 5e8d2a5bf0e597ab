"""Weights of the older uint8 quantization as symmetric int8 ones.

Weights less their zero point need 9 bits, so the inputs whose weights do not fit 8 are read twice, each time with a
part of the weight; the sums stay the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import Array, Quant, Tensor
from midge.numerics.fixed_point import quantize_multiplier
from midge.ops.formats import UnsupportedOp
from midge.ops.gather import Gather
from midge.ops.reshape import Reshape
from midge.ops.uint8 import REMEDY, Symmetric

# Weights are split into parts of at most this size, with either sign.
_PART = 127


def centered_parts(x: Tensor, weights: Tensor) -> list[Array]:
    """Int8 weights that add up to `weights` less their zero point. Raises UnsupportedOp for weights that cannot be."""
    if weights.data is None or weights.quant is None or weights.quant.axis is not None or x.quant is None:
        raise UnsupportedOp("uint8 weights that are computed, or have a scale per channel", REMEDY)
    return _parts(weights.data.astype(np.int64) - weights.q.zero_point)


def with_scale(op: Op, weights: Tensor, scale: float) -> Tensor:
    """The weights under a name of the operator's own, symmetric with `scale`."""
    return replace(weights, name=f"{weights.name}/{op.name}", quant=Quant((scale,), (0,)))


def _parts(centered: Array) -> list[Array]:
    """Int8 weights whose sum is `centered`: the first as near as it comes, the others mostly 0."""
    parts: list[Array] = []
    while not parts or centered.any():
        parts.append(np.clip(centered, -_PART, _PART).astype(np.int8))
        centered = centered - parts[-1]
    return parts


def window_scale(x: Tensor, weights: Tensor, y: Tensor) -> float:
    """The weights' scale with which a convolution has the factor of TFLite's uint8 one: of a product in float32.

    It is no float32 itself. Source: GetQuantizedConvolutionMultipler in tensorflow/lite/kernels/kernel_util.cc.
    """
    product = float(np.float32(x.q.scale) * np.float32(weights.q.scale))
    wanted = quantize_multiplier(product / y.q.scale)
    middle = product / x.q.scale
    for scale in (middle, float(np.nextafter(middle, 0)), float(np.nextafter(middle, np.inf))):
        if quantize_multiplier(x.q.scale * scale / y.q.scale) == wanted:
            return scale
    raise UnsupportedOp("scales whose product midge cannot say", REMEDY)


def split_channels(op: Any, x: Tensor, weights: Tensor, parts: Sequence[Array]) -> Symmetric:
    """The channels that later parts read are appended to the input."""
    axis = weights.data.ndim - 1 if weights.data is not None else 0
    needed = [np.flatnonzero(part.any(axis=tuple(range(axis)))) for part in parts[1:]]
    kernel = np.concatenate([parts[0], *(p[..., n] for p, n in zip(parts[1:], needed, strict=True))], axis=-1)
    weights = replace(weights, shape=kernel.shape, data=kernel)
    if not needed:
        return Symmetric(reading(op, x, weights), (), (weights,))
    depth, before, rows = parts[0].shape[-1], [], x
    if weights.data is not None and weights.data.ndim == 2 and x.shape[-1] != depth:  # a matrix reads rows
        rows = replace(x, name=f"{op.name}/rows", shape=(prod(x.shape) // depth, depth))
        before.append(Reshape(name=rows.name, inputs=(x.name,), outputs=(rows.name,), shape=rows.shape))
    if rows.shape[-1] != depth:
        raise UnsupportedOp("uint8 weights of more than 8 bits in groups", REMEDY)
    indices = np.concatenate([np.arange(depth), *needed])
    gather, twice = gathered(op, rows, indices)
    return Symmetric(reading(op, twice, weights), (*before, gather), (weights, rows, twice))


def gathered(op: Op, x: Tensor, indices: Array) -> tuple[Gather, Tensor]:
    """The channels of `x` at `indices`."""
    twice = replace(x, name=f"{op.name}/channels", shape=(*x.shape[:-1], len(indices)))
    found = tuple(int(i) for i in indices)
    where = {"inputs": (x.name,), "outputs": (twice.name,)}
    return Gather(name=twice.name, axis=len(x.shape) - 1, indices=found, shape=(len(found),), **where), twice


def reading(op: Op, x: Tensor, weights: Tensor) -> Op:
    """`op` on that input and those weights."""
    return replace(op, inputs=(x.name, weights.name, *op.inputs[2:]))
