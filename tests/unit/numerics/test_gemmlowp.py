"""Fixed-point functions against the real ones."""

from __future__ import annotations

import numpy as np
import pytest

from midge.numerics.gemmlowp import (
    ONE_Q0,
    exp_on_negative_values,
    one_over_one_plus_x,
    reciprocal,
    saturating_multiply_by_pot,
)


@pytest.mark.parametrize("integer_bits", [0, 3, 5])
def test_the_exponential_is_close_to_the_real_one(integer_bits: int) -> None:
    raw = -np.random.default_rng(1).integers(0, 1 << 31, 5000)
    real = np.exp(raw / 2.0 ** (31 - integer_bits))
    assert np.abs(exp_on_negative_values(raw, integer_bits) / 2.0**31 - real).max() < 1e-6


def test_the_exponential_of_zero_is_the_largest_value() -> None:
    assert exp_on_negative_values(np.array(0), 5) == ONE_Q0


def test_the_exponential_never_rises_as_its_argument_falls() -> None:
    raw = -np.arange(0, 1 << 31, 1 << 19)
    assert (np.diff(exp_on_negative_values(raw, 5)) <= 0).all()


def test_one_over_one_plus_x_is_close_to_the_real_one() -> None:
    raw = np.random.default_rng(2).integers(0, 1 << 31, 5000)
    real = 1 / (1 + raw / 2.0**31)
    assert np.abs(one_over_one_plus_x(raw) / 2.0**31 - real).max() < 1e-8


def test_a_reciprocal_comes_with_its_power_of_two() -> None:
    raw = np.random.default_rng(3).integers(1 << 19, 1 << 31, 5000)
    scale, bits = reciprocal(raw, 12)
    real = 2.0**19 / raw
    assert np.abs(scale / 2.0**31 / 2.0**bits / real - 1).max() < 1e-7


def test_multiplying_by_a_power_of_two_saturates_upwards_and_rounds_downwards() -> None:
    assert saturating_multiply_by_pot(np.array([1 << 30, -(1 << 30), 5]), 2).tolist() == [ONE_Q0, -(1 << 31), 20]
    assert saturating_multiply_by_pot(np.array([5, 6, -6]), -2).tolist() == [1, 2, -2]
