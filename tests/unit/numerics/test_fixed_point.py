"""Fixed-point arithmetic against exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import floor, inf, nan

import numpy as np
import pytest

from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import DType, Quant
from midge.numerics.fixed_point import (
    divide_half_away,
    integer_clamp,
    multiply_by_quantized_multiplier,
    quantize_array,
    quantize_multiplier,
    quantize_value,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
)

_EDGES = [-(1 << 31), 1 - (1 << 31), -(1 << 30), -3, -2, -1, 0, 1, 2, 3, 1 << 30, (1 << 31) - 1]


def _int32_values() -> np.ndarray:
    drawn = np.random.default_rng(1).integers(-(1 << 31), 1 << 31, 500)
    return np.concatenate([_EDGES, drawn, drawn >> 16])


def _half_away(value: Fraction) -> int:
    return floor(abs(value) + Fraction(1, 2)) * (1 if value >= 0 else -1)


def test_high_multiplication_rounds_halves_upwards() -> None:
    for b in (*_EDGES[1:], 0x5A5A5A5A):
        values = _int32_values()
        expected = [floor(Fraction(int(a) * b, 1 << 31) + Fraction(1, 2)) for a in values]
        assert saturating_rounding_doubling_high_mul(values, b).tolist() == expected


def test_high_multiplication_of_the_two_smallest_values_saturates() -> None:
    assert saturating_rounding_doubling_high_mul(np.array(-(1 << 31)), -(1 << 31)) == (1 << 31) - 1


@pytest.mark.parametrize("exponent", [0, 1, 2, 7, 24, 31])
def test_division_by_a_power_of_two_rounds_halves_away_from_zero(exponent: int) -> None:
    values = _int32_values()
    expected = [_half_away(Fraction(int(x), 1 << exponent)) for x in values]
    assert rounding_divide_by_pot(values, exponent).tolist() == expected


@pytest.mark.parametrize("divisor", [1, 2, 3, 49, 64])
def test_division_by_a_count_rounds_halves_away_from_zero(divisor: int) -> None:
    values = np.arange(-300, 300)
    assert divide_half_away(values, divisor).tolist() == [_half_away(Fraction(int(x), divisor)) for x in values]


def test_a_multiplier_is_within_one_part_in_two_to_the_31_of_the_factor() -> None:
    for factor in np.exp(np.random.default_rng(2).uniform(-21, 20, 1000)):
        multiplier, shift = quantize_multiplier(float(factor))
        assert 1 << 30 <= multiplier < 1 << 31
        ratio = Fraction(multiplier) * Fraction(2) ** (shift - 31) / Fraction(float(factor))
        assert abs(ratio - 1) <= Fraction(1, 1 << 31)


def test_a_factor_just_under_a_power_of_two_rounds_to_it() -> None:
    assert quantize_multiplier(1.0 - 2.0**-40) == (1 << 30, 1)


def test_a_vanishing_factor_is_zero() -> None:
    assert quantize_multiplier(0.0) == (0, 0)
    assert quantize_multiplier(2.0**-33) == (0, 0)


@pytest.mark.parametrize("factor", [-1.0, inf, nan, 2.0**31])
def test_a_factor_that_cannot_be_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="scale factor"):
        quantize_multiplier(factor)


def test_rescaling_is_within_one_of_the_real_product() -> None:
    values = np.random.default_rng(3).integers(-(1 << 20), 1 << 20, 1000)
    for factor in (0.3, 0.001, 1e-7, 1.0, 5.5, 900.0):
        found = multiply_by_quantized_multiplier(values, *quantize_multiplier(factor))
        assert np.abs(found - values * factor).max() < 1.0


def test_a_left_shift_past_32_bits_wraps() -> None:
    assert multiply_by_quantized_multiplier(np.array(1 << 30), 1 << 30, 2) == 0


def test_clamps_become_bounds_on_quantized_values() -> None:
    quant = Quant.per_tensor(0.05, -10)
    assert integer_clamp(NO_CLAMP, quant, DType.S8) == (-128, 127)
    assert integer_clamp((0.0, inf), quant, DType.S8) == (-10, 127)
    assert integer_clamp((0.0, 6.0), quant, DType.S8) == (-10, 110)
    assert integer_clamp((-1.0, 1.0), quant, DType.S8) == (-30, 10)


def test_a_clamp_far_beyond_a_tiny_scale_leaves_the_type_its_limits() -> None:
    assert integer_clamp((0.0, 6.0), Quant.per_tensor(1e-38, 0), DType.S8) == (0, 127)


def test_halves_are_quantized_away_from_zero() -> None:
    quant = Quant.per_tensor(0.5, 3)
    assert [quantize_value(v, quant) for v in (0.25, -0.25, 0.75, -0.75)] == [4, 2, 5, 1]
    assert quantize_array(np.array([0.25, -0.25, 0.75, -0.75]), quant, DType.S8).tolist() == [4, 2, 5, 1]


def test_what_a_type_cannot_hold_is_saturated() -> None:
    values = np.array([1e30, -1e30, inf, -inf, nan])
    assert quantize_array(values, Quant.per_tensor(0.5, 3), DType.S8).tolist() == [127, -128, 127, -128, 3]
