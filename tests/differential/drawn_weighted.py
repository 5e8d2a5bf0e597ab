"""Draws what operators with weights have in common."""

from __future__ import annotations

import numpy as np

from differential.drawn_cases import Rng, drawn_quant, drawn_scale
from midge.ir.tensor import DType, Quant, Shape, Tensor


def drawn_weights(shape: Shape, axis: int | None, dtype: DType, rng: Rng) -> Tensor:
    """Constant weights, per channel along `axis` if there is one."""
    if dtype is DType.F32:
        return Tensor("w", shape, dtype, None, rng.normal(0, 1, shape).astype(np.float32))
    count = 1 if axis is None else shape[axis]
    scales = tuple(float(np.float32(drawn_scale(rng, 0.001, 0.05))) for _ in range(count))
    data = rng.integers(-127, 128, shape).astype(np.int8)
    return Tensor("w", shape, DType.S8, Quant(scales, (0,) * count, axis), data)


def drawn_bias(channels: int, x: Tensor, weights: Tensor, rng: Rng) -> Tensor:
    """A constant bias of either sign, at the scale of the sums."""
    if x.dtype is DType.F32:
        return Tensor("b", (channels,), x.dtype, None, rng.normal(0, 1, channels).astype(np.float32))
    scales = tuple(float(np.float32(x.q.scale) * np.float32(s)) for s in weights.q.scales)
    quant = Quant(scales, (0,) * len(scales), None if weights.q.axis is None else 0)
    if x.dtype is DType.S16:
        wide = rng.integers(-(1 << 40), 1 << 40, channels) >> int(rng.integers(0, 30))
        return Tensor("b", (channels,), DType.S64, quant, wide)
    return Tensor("b", (channels,), DType.S32, quant, rng.integers(-9000, 9000, channels).astype(np.int32))


def weighted_output(x: Tensor, weights: Tensor, terms: int, rng: Rng) -> Tensor:
    """An output scale that spreads most sums over the range; sometimes far off, so that factors pass 1."""
    if x.dtype is DType.F32:
        return Tensor("y", (), x.dtype)
    spread = x.q.scale * max(weights.q.scales) * 80 * terms**0.5
    return Tensor(
        "y", (), x.dtype, drawn_quant(rng, spread * float(np.exp(rng.uniform(-1, 1) * rng.choice([1, 8]))), x.dtype)
    )
