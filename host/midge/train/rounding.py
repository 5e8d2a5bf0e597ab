"""Fake quantization: real values that integers stand for, computed as the integer kernels do, with a gradient.

The gradient is that of learned step sizes (LSQ; Esser et al., arXiv 1902.08153): through the rounding as if it were
not there, nothing where values are clipped, and by the step size the error of the rounding, or the end that a value is
clipped to, times 1 / sqrt(values * levels).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from math import sqrt
from typing import Any

import torch

# Values this fine are far below a step, and far above the noise of float32: halves are halves again.
_SNAP = 4096.0


class Rounding(Enum):
    """Halves go away from the zero point (plain, or where noise is taken off before: snapped) or from the integer 0.

    `even`: to the even one, as weights are rounded. `sign`: to -1 or 1, 0 counting as positive.
    """

    PLAIN = auto()
    SNAPPED = auto()
    FROM_ZERO = auto()
    EVEN = auto()
    SIGN = auto()


@dataclass(frozen=True)
class Levels:
    """The integers that there are, as distances from the zero point, and how values come to them.

    `sharing`: so many values have one step size. `count`: integer sums are divided by it when they are requantized.
    """

    low: int
    high: int
    zero_point: int = 0
    rounding: Rounding = Rounding.SNAPPED
    sharing: int = 1
    count: int = 1


def settled(y: Any, step: Any, levels: Levels, product: Any = None, exact: bool = True) -> Any:
    """`y` at the nearest multiples of `step` (a number, or what broadcasts to y) that `levels` have.

    `product`: the step of the integer sums that `y` comes from, per last axis: they are requantized in TensorFlow
    Lite's two roundings then. Without `exact` the plain rounding of torch does, which is faster.
    """
    return _Settle.apply(y, step, levels, product, exact)


class _Settle(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, y: Any, step: Any, levels: Levels, product: Any, exact: bool) -> Any:
        ratio = y / step
        integers = _integers(y, ratio, step, levels, product, exact)
        clipped = integers.clamp(levels.low, levels.high)
        if ctx.needs_input_grad[0] or ctx.needs_input_grad[1]:
            inside = ratio.abs() <= 1 if levels.rounding is Rounding.SIGN else clipped == integers
            error = torch.where(inside, clipped - ratio, clipped) if ctx.needs_input_grad[1] else None
            ctx.save_for_backward(inside, error)
            ctx.gain = 1 / sqrt(levels.sharing * max(levels.high, 1))
            ctx.step_shape = step.shape
        return clipped * step

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        inside, error = ctx.saved_tensors
        by_step = None
        if error is not None:
            by_step = (gradient * error).sum_to_size(ctx.step_shape) * ctx.gain
        return (gradient * inside if ctx.needs_input_grad[0] else None), by_step, None, None, None


def _integers(y: Any, ratio: Any, step: Any, levels: Levels, product: Any, exact: bool) -> Any:
    kind = levels.rounding
    if kind is Rounding.SIGN:
        return torch.where(ratio < 0, -1.0, 1.0)
    if kind is Rounding.EVEN:
        return torch.round(y.double() / step.double()).float()
    if not exact:
        return torch.round(ratio)
    if product is not None:
        return requantized(torch.round(y.double() / product), product / step.double(), levels.count).float()
    if kind is Rounding.PLAIN:
        return _half_away(ratio)
    snapped = torch.round(ratio * _SNAP) / _SNAP
    if kind is Rounding.FROM_ZERO:
        return _half_away(snapped + levels.zero_point) - levels.zero_point
    return _half_away(snapped)


def _half_away(value: Any) -> Any:
    return torch.trunc(value + torch.copysign(torch.full_like(value, 0.5), value))


def requantized(sums: Any, factor: Any, count: int = 1) -> Any:
    """Integer sums times a factor below 2^30 per last axis, rounded as midge.numerics.fixed_point does it; float64.

    The factor is one that was divided by `count`: as midge.ops.mean does it, which normalizes the multiplier before.
    """
    fraction, shift = torch.frexp(factor * count)
    bits = count.bit_length() - 1
    multiplier = torch.floor(torch.round(fraction * (1 << 31)) * (1 << bits) / count) / (1 << 31)
    shift = shift - bits
    left, right = shift.clamp(min=0).double(), (-shift).clamp(min=0).double()
    high = torch.floor(sums * torch.exp2(left) * multiplier + 0.5)
    return _half_away(high * torch.exp2(-right))
