"""Requantization by two products equals the definition: at every step of the outputs and on a million drawn sums."""

from __future__ import annotations

import numpy as np
import pytest

from midge.ir.tensor import Array
from midge.kernels.two_products import TwoProducts, two_products
from midge.numerics.requantize import Requantization

CHANNELS = 32
SUMS = 4096
# Zero point and clamp: RELU at the lowest output, inside the range, narrower than int8, none.
OUTPUTS = [(-128, -128, 127), (-20, -20, 127), (-128, -128, 5), (14, -128, 127), (127, -128, 127), (-128, -128, 127)]


def _drawn(seed: int) -> tuple[Requantization, Array, Array]:
    rng = np.random.default_rng(seed)
    zero_point, low, high = OUTPUTS[seed % len(OUTPUTS)]
    multipliers = rng.integers(1 << 30, 1 << 31, CHANNELS).astype(np.int32)
    multipliers[:3] = [1 << 30, (1 << 31) - 1, 0]
    shifts = -rng.integers(0 if seed % 2 else 4, 12, CHANNELS).astype(np.int32)
    reach = int(2 ** rng.uniform(8, 21.5))
    least, most = -rng.integers(0, reach, CHANNELS), rng.integers(0, reach, CHANNELS)
    return Requantization(multipliers, shifts, zero_point, low, high), least, most


def _check(r: Requantization, found: TwoProducts, sums: Array) -> None:
    assert np.array_equal(found.apply(sums), r.apply(sums))


@pytest.mark.parametrize("seed", range(12))
def test_it_equals_the_definition(seed: int) -> None:
    r, least, most = _drawn(seed)
    found = two_products(r, least, most)
    assert found is not None
    rng = np.random.default_rng([seed, 1])
    _check(r, found, rng.integers(least, most + 1, (SUMS, CHANNELS)))
    window = rng.integers(found.starts - 3, found.starts + found.lasts + 4, (SUMS, CHANNELS))
    _check(r, found, np.clip(window, least, most))
    _check(r, found, np.stack([least, most]))


def test_it_equals_the_definition_on_every_sum_of_a_small_range() -> None:
    r, _, _ = _drawn(3)
    least, most = np.full(CHANNELS, -20_000), np.full(CHANNELS, 20_000)
    found = two_products(r, least, most)
    assert found is not None
    _check(r, found, np.broadcast_to(np.arange(-20_000, 20_001)[:, None], (40_001, CHANNELS)))


@pytest.mark.parametrize("seed", range(12))
def test_no_product_leaves_32_bits(seed: int) -> None:
    r, least, most = _drawn(seed)
    found = two_products(r, least, most)
    assert found is not None
    assert (found.lasts * found.high < 1 << 32).all()
    assert (found.lasts * found.low < 1 << 32).all()
    assert (found.low < 1 << found.split).all()


def test_behind_a_relu_at_the_lowest_output_there_is_no_rule_below_zero() -> None:
    for seed in (0, 6):
        found = two_products(*_drawn(seed))
        assert found is not None
        assert found.below is None
        assert found.words.shape == (CHANNELS, 4)


def test_halves_go_away_from_zero_on_both_sides() -> None:
    # Factor 1/4 exactly. 6 / 4 goes to 2, -6 / 4 to -2; the first rounding, halves upwards, makes 5 / 4 three halves.
    r = Requantization(np.array([1 << 30], np.int32), np.array([-1], np.int32), 0, -128, 127)
    found = two_products(r, np.array([-600]), np.array([600]))
    assert found is not None
    assert found.below is not None
    assert found.apply(np.array([[-6], [-5], [5], [6]])).reshape(-1).tolist() == [-2, -1, 2, 2]


def test_what_shifts_left_or_may_wrap_is_not_done() -> None:
    one = np.array([1 << 30], np.int32)
    left = Requantization(one, np.array([1], np.int32), 0, -128, 127)
    assert two_products(left, np.array([-10]), np.array([10])) is None
    right = Requantization(one, np.array([-8], np.int32), 0, -128, 127)
    assert two_products(right, np.array([-(1 << 31)]), np.array([10])) is None
