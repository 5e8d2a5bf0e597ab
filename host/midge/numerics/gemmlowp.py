"""Fixed-point exponential and reciprocal as gemmlowp computes them, on raw int32 values held in int64.

A Qm.n value here has m integer bits, 31 - m fractional bits and a sign: real = raw / 2^(31 - m).
Source: fixedpoint/fixedpoint.h of google/gemmlowp.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from midge.numerics.fixed_point import (
    Ints,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
    wrap_int32,
)

ONE_Q0 = (1 << 31) - 1
_INT32_MIN = -(1 << 31)

# e^(-2^k) in Q0 for k = -2..4, in that order.
_EXP_FACTORS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_EXP_MINUS_ONE_EIGHTH = 1895147668
_ONE_THIRD = 715827883
_48_OVER_17_Q2 = 1515870810
_MINUS_32_OVER_17_Q2 = -1010580540
_ONE_Q2 = 1 << 29


def saturating_multiply_by_pot(x: NDArray[Any], exponent: int) -> Ints:
    """x * 2^exponent: saturated to int32 when the exponent is positive, rounded when it is negative."""
    if exponent <= 0:
        return rounding_divide_by_pot(x, -exponent)
    return np.clip(np.asarray(x, np.int64) << exponent, _INT32_MIN, ONE_Q0)


def exp_on_negative_values(x: NDArray[Any], integer_bits: int) -> Ints:
    """e^x in Q0 for x <= 0 in Q(integer_bits), integer_bits at most 5.

    A Taylor polynomial for x modulo 1/4, times a constant for each further bit of x.
    """
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    x64 = np.asarray(x, np.int64)
    remainder = (x64 & (quarter - 1)) - quarter
    result = _exp_between_minus_one_quarter_and_zero(saturating_multiply_by_pot(remainder, integer_bits))
    rest = remainder - x64
    for k, factor in enumerate(_EXP_FACTORS[: integer_bits + 2]):
        bit = (rest >> (fraction_bits - 2 + k)) & 1
        result = np.where(bit == 1, saturating_rounding_doubling_high_mul(result, factor), result)
    return np.where(x64 == 0, ONE_Q0, result)


def _exp_between_minus_one_quarter_and_zero(x: Ints) -> Ints:
    """The polynomial of degree four around -1/8; x and the result in Q0."""
    x = x + (1 << 28)
    x2 = saturating_rounding_doubling_high_mul(x, x)
    x3 = saturating_rounding_doubling_high_mul(x2, x)
    x4 = saturating_rounding_doubling_high_mul(x2, x2)
    cubic = rounding_divide_by_pot(x4, 2) + x3
    tail = rounding_divide_by_pot(saturating_rounding_doubling_high_mul(cubic, _ONE_THIRD) + x2, 1)
    return _EXP_MINUS_ONE_EIGHTH + saturating_rounding_doubling_high_mul(x + tail, _EXP_MINUS_ONE_EIGHTH)


def one_over_one_plus_x(x: NDArray[Any]) -> Ints:
    """1 / (1 + x) in Q0 for x in Q0, 0 <= x < 1: three Newton-Raphson steps."""
    half_denominator = (np.asarray(x, np.int64) + ONE_Q0 + 1) >> 1
    estimate = _48_OVER_17_Q2 + saturating_rounding_doubling_high_mul(half_denominator, _MINUS_32_OVER_17_Q2)
    for _ in range(3):
        error = _ONE_Q2 - saturating_rounding_doubling_high_mul(half_denominator, estimate)
        step = saturating_rounding_doubling_high_mul(estimate, error)
        estimate = wrap_int32(estimate + saturating_multiply_by_pot(step, 2))
    return saturating_multiply_by_pot(estimate, 1)


def reciprocal(x: NDArray[Any], integer_bits: int) -> tuple[Ints, Ints]:
    """(scale, bits) with 1 / x = scale / 2^31 / 2^bits, for x > 0 in Q(integer_bits).

    Source: GetReciprocal in tensorflow/lite/kernels/internal/common.h.
    """
    x64 = np.asarray(x, np.int64)
    leading_zeros = 32 - np.frexp(x64.astype(np.float64))[1].astype(np.int64)
    mantissa = (x64 << leading_zeros) - (1 << 31)
    return one_over_one_plus_x(mantissa), integer_bits - leading_zeros
