"""Fixed-point natural logarithm as TensorFlow Lite computes it, on raw int32 values held in int64.

Mirrored by firmware/nn/midge_nn_log_softmax.h. Source: log_x_for_x_greater_than_or_equal_to_1 in
tensorflow/lite/kernels/internal/common.h.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from midge.numerics.fixed_point import Ints, rounding_divide_by_pot, saturating_rounding_doubling_high_mul
from midge.numerics.gemmlowp import one_over_one_plus_x, saturating_multiply_by_pot

# In Q0: ln 2, the root of a half, and the root of that, around which a rational function approximates.
_LN_2 = 1488522236
_ROOT_HALF = 1518500250
_CENTER = 1805811301
# The rational function's coefficients in Q0.
_NUMERATOR, _DENOMINATOR, _CONSTANT, _LINEAR = 117049297, 127690142, 1057819769, 638450708
# The result has one integer bit less than it is summed with.
_SUM_FRACTION_BITS = 25
_QUARTER = 1 << (_SUM_FRACTION_BITS - 2)
_INT32_MAX = (1 << 31) - 1

_times = saturating_rounding_doubling_high_mul


def logarithm(x: NDArray[Any], integer_bits: int) -> Ints:
    """ln x in Q5 for x > 0 in Q(integer_bits), integer_bits at most 21.

    x is a power of two times r, which is within a quarter of an octave around the center, where two ways to split x
    meet: one takes the power from x, the other from x times the root of a half.
    """
    x64 = np.asarray(x, np.int64)
    zeros = _leading_zeros(x64)
    one = np.minimum(_times(x64 << (zeros - 1), _ROOT_HALF) << 1, _INT32_MAX)
    one_power = ((integer_bits - zeros) << _SUM_FRACTION_BITS) + _QUARTER
    headroom = _leading_zeros(_times(x64, _ROOT_HALF)) - 1
    other = np.minimum(x64 << headroom, _INT32_MAX)
    other_power = ((integer_bits - headroom) << _SUM_FRACTION_BITS) - _QUARTER
    power = np.maximum(one_power, other_power)
    numerator, denominator = _fraction(np.minimum(one, other))
    rest = _times(rounding_divide_by_pot(numerator, 6), one_over_one_plus_x(denominator))
    return saturating_multiply_by_pot(_times(power, _LN_2) + rest, 1)


def _fraction(r: Ints) -> tuple[Ints, Ints]:
    """ln(r / center) as (numerator, denominator - 1)."""
    half_sum = (r + _CENTER + 1) >> 1
    q = 2 * (r - _CENTER)
    square = _times(q, q)
    numerator = _times(q, r) + _times(_times(q, square), _NUMERATOR)
    inner = _CONSTANT + q + _times(square, _DENOMINATOR)
    return numerator, _times(half_sum, inner) + _times(q, _LINEAR)


def _leading_zeros(x: Ints) -> Ints:
    return np.asarray(32 - np.frexp(x.astype(np.float64))[1].astype(np.int64))
