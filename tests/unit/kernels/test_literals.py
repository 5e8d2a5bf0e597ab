"""Folding, wrapping and clamping literals against sums done the long way."""

from __future__ import annotations

import numpy as np
import pytest

from midge.kernels.literals import integer_clamp_literals, integer_sums, per_tensor, requantization_literals


@pytest.mark.parametrize("zero_point", [-128, -3, 0, 127])
def test_a_folded_bias_gives_the_sums_of_centered_inputs(zero_point: int) -> None:
    rng = np.random.default_rng(1)
    weights, bias = rng.integers(-128, 128, (5, 40)).astype(np.int8), rng.integers(-9999, 9999, 5).astype(np.int32)
    sums = integer_sums(bias, weights, zero_point, fold=True)
    x = rng.integers(-128, 128, 40)
    assert (weights @ x + sums.bias).tolist() == (weights.astype(np.int64) @ (x - zero_point) + bias).tolist()
    assert sums.in_zero == 0


@pytest.mark.parametrize("fold", [False, True])
def test_the_reach_is_the_largest_sum_there_can_be(fold: bool) -> None:
    rng = np.random.default_rng(2)
    weights = rng.integers(-128, 128, (3, 10)).astype(np.int8)
    bias = np.array([50, -70, 0], np.int32)
    for zero_point in (-128, 5, 127):
        reach = integer_sums(bias, weights, zero_point, fold=fold).reach
        for x in np.where(weights < 0, -128, 127), np.where(weights < 0, 127, -128):
            largest = np.abs(((x - zero_point) * weights.astype(np.int64)).sum(axis=1) + bias)
            assert (reach >= largest).all()


def test_sums_that_may_leave_32_bits_wrap() -> None:
    weights = np.full((1, 4), 127, np.int8)
    assert integer_sums(np.array([(1 << 31) - 1], np.int32), weights, 0, fold=False).number == "uint32_t"
    assert integer_sums(np.array([1 << 30], np.int32), weights, 0, fold=False).number == "int32_t"


def test_the_zero_point_comes_after_the_clamp_where_the_sum_could_overflow() -> None:
    assert integer_clamp_literals(5, -128, 127, True) == {"before": 5, "low": -128, "high": 127, "after": 0}
    assert integer_clamp_literals(5, -128, 127, False) == {"before": 0, "low": -133, "high": 122, "after": 5}


@pytest.mark.parametrize(
    ("shift", "reach", "before"), [(-3, 1 << 20, 9), (4, 1 << 20, 9), (12, 1 << 20, 0), (0, (1 << 31) - 1, 0)]
)
def test_large_factors_and_sums_are_seen(shift: int, reach: int, before: int) -> None:
    literals, constants = requantization_literals(per_tensor((1 << 31) - 1, shift, 9, -128, 127), reach)
    assert literals["clamp"]["before"] == before  # type: ignore[index]
    assert constants == ()


def test_shifts_to_the_right_alone_are_positive_numbers() -> None:
    literals, _ = requantization_literals(per_tensor(1 << 30, -7, 0, -128, 127), 1000)
    assert (literals["scale"], literals["shift"]) == ("midge_scale_down", 7)
    literals, _ = requantization_literals(per_tensor(1 << 30, 2, 0, -128, 127), 1000)
    assert (literals["scale"], literals["shift"]) == ("midge_requantize", 2)
