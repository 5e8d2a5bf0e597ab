"""Bounds on the int32 sums of convolutions and matrix products: what their `accumulators` share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from midge.ir.channels import Range
from midge.ir.tensor import Array, DType, Tensor
from midge.numerics.window_taps import TapsInside


def weighted_constants(inputs: Sequence[Tensor]) -> tuple[Array, Array | None] | None:
    """Weights and bias of an int8 convolution or matrix product; None when it is float or they are not constant."""
    x, weights, *bias = inputs
    if x.dtype is not DType.S8 or weights.data is None or any(b.data is None for b in bias):
        return None
    return weights.data, bias[0].data if bias else None


def are_constant(operands: Sequence[Tensor]) -> bool:
    """Whether weights and bias are known, of whatever type."""
    return all(t.data is not None for t in operands)


def with_bias(sums: tuple[Array, Array], bias: Array | None) -> Range:
    """The sums plus the bias per channel, in int64."""
    added = 0 if bias is None else bias.astype(np.int64)
    return np.rint(sums[0]).astype(np.int64) + added, np.rint(sums[1]).astype(np.int64) + added


def windowed_sums(taps: tuple[Array, Array], inside: TapsInside) -> tuple[Array, Array]:
    """The ends of each channel's sum over the window, for ends per tap of shape (channels, kernel_h, kernel_w).

    A tap that reads padding adds nothing (padding stands for the zero point), so the sum is taken for each set of taps
    that some window has inside the input.
    """
    vertical, horizontal = inside
    low, high = (
        np.einsum("vk,ckl,hl->cvh", vertical, end, horizontal, optimize=True).reshape(len(end), -1) for end in taps
    )
    return low.min(axis=1), high.max(axis=1)
