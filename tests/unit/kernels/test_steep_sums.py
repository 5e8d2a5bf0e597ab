"""Requantization of sums with fraction bits equals the definition for every sum, not for some."""

from __future__ import annotations

import numpy as np
import pytest

from midge.kernels.steep_sums import FRACTION, SteepSums, reachable_sums, split_sums, steep_sums
from midge.numerics.fixed_point import Ints
from midge.numerics.requantize import Requantization

CHANNELS = 24


def drawn(seed: int, zero_point: int, low: int) -> tuple[Requantization, Ints, Ints]:
    """Factors of 2^-2 to 2^-12 and ranges of sums of some thousands; the last channel reaches one output alone."""
    rng = np.random.default_rng(seed)
    multipliers = rng.integers(1 << 30, 1 << 31, CHANNELS)
    multipliers[0] = 1 << 30
    shifts = -rng.integers(2, 13, CHANNELS)
    lowest = -rng.integers(0, 30_000, CHANNELS)
    highest = rng.integers(1, 30_000, CHANNELS)
    shifts[-1], lowest[-1], highest[-1] = -16, -40, 40
    return Requantization(multipliers, shifts, zero_point, low, 127), lowest, highest


def computed(s: SteepSums, channel: int, sums: Ints) -> Ints:
    """What a kernel computes, in exact integers; fails when a value leaves 32 bits."""
    weighted = np.zeros_like(sums) if s.constant[channel] else sums << FRACTION
    value = weighted + s.biases[channel]
    if s.jumps is not None:
        value = np.where(value < 0, value - s.jumps[channel], value)
    assert np.abs(value).max() < 1 << 31
    assert 0 < s.multipliers[channel] < 1 << 31
    scaled = ((value * s.multipliers[channel] >> 32) + s.addend) >> s.shift
    result: Ints = np.clip(scaled, s.lift - 128, s.lift + 127) - s.lift
    return result


def wrong_sums(s: SteepSums, r: Requantization, lowest: Ints, highest: Ints) -> int:
    """How many of all sums are requantized otherwise than by the definition."""
    wrong = 0
    for channel in range(CHANNELS):
        sums = np.arange(lowest[channel], highest[channel] + 1)
        one = Requantization(r.multipliers[[channel]], r.shifts[[channel]], r.zero_point, r.low, r.high)
        wrong += int(np.count_nonzero(computed(s, channel, sums) != one.apply(sums[:, None])[:, 0]))
    return wrong


@pytest.mark.parametrize("seed", range(5))
def test_one_rule_is_exact_for_every_sum_above_a_relu(seed: int) -> None:
    r, lowest, highest = drawn(seed, -128, -128)
    steep = steep_sums(r, lowest, highest)
    assert steep is not None
    assert steep.constant[-1]
    assert wrong_sums(steep, r, lowest, highest) == 0


@pytest.mark.parametrize("zero_point", [-128, -3, 0, 90, 127])
def test_a_rule_for_each_sign_is_exact_for_every_sum(zero_point: int) -> None:
    r, lowest, highest = drawn(7, zero_point, -128)
    split = split_sums(r, lowest, highest)
    assert split is not None
    assert wrong_sums(split, r, lowest, highest) == 0


def test_one_rule_is_not_claimed_for_both_signs() -> None:
    assert steep_sums(*drawn(1, 0, -128)) is None


def test_a_clamp_that_is_not_int8s_own_is_refused() -> None:
    r, lowest, highest = drawn(1, 10, 10)
    assert steep_sums(r, lowest, highest) is None
    assert split_sums(r, lowest, highest) is None


def test_a_wrong_bias_would_be_noticed() -> None:
    r, lowest, highest = drawn(0, -128, -128)
    steep = steep_sums(r, lowest, highest)
    assert steep is not None
    steep.biases[1] += 1 << FRACTION
    assert wrong_sums(steep, r, lowest, highest) > 0


def test_reachable_sums_are_those_of_the_worst_inputs() -> None:
    low, high = reachable_sums(np.array([5, 0]), np.array([[1, -2], [0, 3]]), zero_point=-1)
    assert low.tolist() == [5 - 127 - 256, -381]
    assert high.tolist() == [5 + 128 + 254, 384]
