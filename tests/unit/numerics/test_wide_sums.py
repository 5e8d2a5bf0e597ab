"""Sums of 64 bits to int16, against exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np

from midge.numerics.fixed_point import multiply_wide_by_quantized_multiplier, reduced_multiplier


def test_a_wide_sum_is_rounded_once_with_halves_upwards() -> None:
    rng = np.random.default_rng(1)
    multipliers = rng.integers(1 << 30, 1 << 31, 200)
    for multiplier in (*multipliers.tolist(), 1 << 30, (1 << 31) - 1, 0x7FFF0000, 0x7FFEFFFF):
        shift = int(rng.integers(-31, 8))
        reach = min(1 << 47, (1 << 30) >> max(shift, 0) << max(-shift, 0))
        x = int(rng.integers(-reach, reach))
        exact = Fraction(x * int(reduced_multiplier(multiplier)), 1 << (15 - shift))
        assert int(multiply_wide_by_quantized_multiplier(np.array(x), multiplier, shift)) == floor(
            exact + Fraction(1, 2)
        )


def test_a_reduced_multiplier_is_the_nearest_that_15_bits_hold() -> None:
    multipliers = np.array([1 << 30, (1 << 30) + 0x7FFF, (1 << 30) + 0x8000, 0x7FFEFFFF, (1 << 31) - 1])
    assert reduced_multiplier(multipliers).tolist() == [16384, 16384, 16385, 32767, 32767]
