"""The int16 SOFTMAX of TensorFlow Lite: exponentials and the reciprocal of their sum as lines between anchors.

Mirrored by firmware/nn/midge_nn_softmax_s16.h. Source: SoftmaxInt16 in
tensorflow/lite/kernels/internal/reference/softmax.h, SoftmaxPrepare in tensorflow/lite/kernels/activations.cc.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from midge.numerics.fixed_point import multiply_by_quantized_multiplier
from midge.numerics.interpolated import Anchors, int16_anchors, interpolate

_UNIT = (-2.0 / 65535 * 32768, 2.0 / 65535 * 32767)


@cache
def exp_anchors() -> Anchors:
    """e^x for x in -10..0, at scale 2 / 65535."""
    return int16_anchors(np.exp, (10.0 / 65535 * -65535, 0.0), _UNIT, np.float64)


@cache
def reciprocal_anchors() -> Anchors:
    """1 / (1 + x) for x in 0..1, at scale 2 / 65535."""
    return int16_anchors(lambda x: 1.0 / (1.0 + x), (0.0, 1.0 / 65535 * 65535), _UNIT, np.float64)


def softmax_int16(x: NDArray[np.int16], factor: tuple[int, int]) -> NDArray[np.int16]:
    """e^x over its sum along the last axis, at scale 2^-15; `factor` scales differences to steps of 10 / 65535."""
    wide = x.astype(np.int64)
    scaled = multiply_by_quantized_multiplier(wide - wide.max(axis=-1, keepdims=True), *factor)
    exps = interpolate(exp_anchors(), _int16(scaled + 32767)).astype(np.int64)
    sums = exps.sum(axis=-1, keepdims=True)
    bits = np.frexp(sums.astype(np.float64))[1].astype(np.int64)
    # The sum with its highest bit at place 30, of which 17 bits are kept.
    shifted = ((sums << (31 - bits)) + (1 << 13)) >> 14
    scale = interpolate(reciprocal_anchors(), _int16(shifted - (1 << 16) - (1 << 15))).astype(np.int64)
    right = bits - 1
    result = (exps * scale + (np.int64(1) << (right - 1))) >> right
    return np.asarray(np.clip(result, 0, 32767), np.int16)


def _int16(value: NDArray[np.int64]) -> NDArray[np.int16]:
    return np.clip(value, -32768, 32767).astype(np.int16)
