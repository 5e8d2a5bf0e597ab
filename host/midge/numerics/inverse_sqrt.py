"""The inverse square root of an integer in fixed point, as TensorFlow Lite's reference kernels compute it.

Mirrored by firmware/nn/midge_nn.h. Source: GetInvSqrtQuantizedMultiplierExp in
tensorflow/lite/kernels/internal/common.h.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from midge.numerics.fixed_point import Ints, saturating_rounding_doubling_high_mul
from midge.numerics.gemmlowp import saturating_multiply_by_pot

_STEPS = 5
_ONE_Q3 = 1 << 28
_HALF_THREE_Q3 = (1 << 28) + (1 << 27)
_HALF_SQRT_2_Q0 = 1518500250


def inverse_sqrt(x: NDArray[Any]) -> tuple[Ints, Ints]:
    """(multiplier, shift) with 1 / sqrt(x) = multiplier / 2^31 * 2^shift for int32 x > 0; what is below 2 counts as 1.

    x is scaled by a power of four into [1/2, 2) in Q3; Newton's iteration starts at 1.
    """
    x64 = np.maximum(np.asarray(x, np.int64), 1)
    over = np.maximum((np.frexp(x64.astype(np.float64))[1] - 28) // 2, 0).astype(np.int64)
    small = x64 >> (2 * over)
    left = (31 - np.frexp(small.astype(np.float64))[1].astype(np.int64)) // 2 - 1
    scaled = (small << (2 * left)) >> 1
    half = saturating_multiply_by_pot(scaled, -1)
    y = np.full_like(x64, _ONE_Q3)
    for _ in range(_STEPS):
        cube = _product(_product(y, y), y)
        y3 = saturating_multiply_by_pot(cube, 6)
        y = saturating_multiply_by_pot(_product(y, _HALF_THREE_Q3) - _product(half, y3), 3)
    root, right = _product(y, _HALF_SQRT_2_Q0), 11 + over - left
    root, right = np.where(right < 0, root << np.maximum(-right, 0), root), np.maximum(right, 0)
    return np.where(x64 == 1, (1 << 31) - 1, root), np.where(x64 == 1, 0, -right)


_product = saturating_rounding_doubling_high_mul
