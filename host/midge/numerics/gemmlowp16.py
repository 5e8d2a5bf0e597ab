"""Fixed-point logistic and tanh as gemmlowp computes them in 16 bits, on raw int16 values held in int64.

A Qm value has m integer bits, 15 - m fractional bits and a sign: real = raw / 2^(15 - m). Mirrored by
firmware/nn/midge_nn_lstm.h. Source: fixedpoint/fixedpoint.h of google/gemmlowp.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midge.numerics.fixed_point import Ints, rounding_divide_by_pot

_LOW, _HIGH = -(1 << 15), (1 << 15) - 1

# e^(-2^k) in Q0 for k = -2..4, in that order; then e^(-1/8), 1/3, and in Q2 48/17 and -32/17.
_EXP_FACTORS = (25520, 19875, 12055, 4435, 600, 11, 0)
_EXP_MINUS_ONE_EIGHTH = 28918
_ONE_THIRD = 10923
_48_OVER_17_Q2 = 23130
_MINUS_32_OVER_17_Q2 = -15420
_ONE_Q2 = 1 << 13


def logistic16(x: NDArray[Any]) -> Ints:
    """1 / (1 + e^-x) in Q0 for int16 x in Q3."""
    found: Ints = _logistic_table()[np.asarray(x, np.int64) - _LOW]
    return found


def tanh16(x: NDArray[Any], integer_bits: int) -> Ints:
    """The hyperbolic tangent in Q0 of int16 x in Q(integer_bits), 0 to 6."""
    found: Ints = _tanh_table(integer_bits)[np.asarray(x, np.int64) - _LOW]
    return found


@cache
def _logistic_table() -> Ints:
    x = np.arange(_LOW, _HIGH + 1, dtype=np.int64)
    positive = _newton(_exp_on_negative_values(-np.abs(x), 3), 1, 0)
    return np.where(x == 0, 1 << 14, np.where(x > 0, positive, _HIGH - positive))


@cache
def _tanh_table(integer_bits: int) -> Ints:
    x = np.arange(_LOW, _HIGH + 1, dtype=np.int64)
    size = _newton(_exp_on_negative_values(-np.abs(x), integer_bits + 1), 2, _ONE_Q2)
    return np.where(x == 0, 0, np.where(x < 0, -size, size))


def _high_mul(a: NDArray[Any], b: NDArray[Any] | int) -> Ints:
    """a * b / 2^15, rounded to nearest with halves upwards; a and b are not both -2^15."""
    product: Ints = (np.asarray(a, np.int64) * np.asarray(b, np.int64) + (1 << 14)) >> 15
    return product


def _exp_on_negative_values(x: Ints, integer_bits: int) -> Ints:
    """e^x in Q0 for x <= 0 in Q(integer_bits)."""
    fraction_bits = 15 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    remainder = (x & (quarter - 1)) - quarter
    result = _exp_between_minus_one_quarter_and_zero(remainder << integer_bits)
    rest = remainder - x
    for k, factor in enumerate(_EXP_FACTORS[: integer_bits + 2]):
        bit = (rest >> (fraction_bits - 2 + k)) & 1
        result = np.where(bit == 1, _high_mul(result, factor), result)
    if integer_bits > 5:
        result = np.where(x < -(1 << (20 - integer_bits)), 0, result)
    return np.where(x == 0, _HIGH, result)


def _exp_between_minus_one_quarter_and_zero(x: Ints) -> Ints:
    """The polynomial of degree four around -1/8; x and the result in Q0."""
    x = x + (1 << 12)
    x2 = _high_mul(x, x)
    x3 = _high_mul(x2, x)
    x4 = _high_mul(x2, x2)
    cubic = rounding_divide_by_pot(x4, 2) + x3
    tail = rounding_divide_by_pot(_high_mul(cubic, _ONE_THIRD) + x2, 1)
    return np.clip(_EXP_MINUS_ONE_EIGHTH + _high_mul(x + tail, _EXP_MINUS_ONE_EIGHTH), _LOW, _HIGH)


def _newton(x: Ints, bits: int, less: int) -> Ints:
    """(2 / (1 + x) in Q2, less `less`) * 2^bits saturated, for x in Q0, 0 <= x < 1: three Newton-Raphson steps."""
    half_denominator = (x + _HIGH + 1) >> 1
    estimate = _48_OVER_17_Q2 + _high_mul(half_denominator, _MINUS_32_OVER_17_Q2)
    for _ in range(3):
        error = _ONE_Q2 - _high_mul(half_denominator, estimate)
        estimate = estimate + np.clip(_high_mul(estimate, error) << 2, _LOW, _HIGH)
    return np.clip((estimate - less) << bits, _LOW, _HIGH)
