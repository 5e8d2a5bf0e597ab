"""Histograms, ranges and scales, against numpy and the definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from midge.quantize.histogram import SIDE, histogram, merged
from midge.quantize.ranges import (
    Range,
    activation_quant,
    chosen_range,
    least_squares_range,
    percentile_range,
    squared_error,
    united,
    with_zero,
)

FLOATS = st.floats(-1e6, 1e6, width=32)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(FLOATS, min_size=1, max_size=20), min_size=1, max_size=5))
def test_merged_histograms_are_the_histogram_of_all_values(parts: list[list[float]]) -> None:
    whole = histogram(np.array([v for part in parts for v in part], np.float32))
    total = histogram(np.array(parts[0], np.float32))
    for part in parts[1:]:
        total = merged(total, histogram(np.array(part, np.float32)))
    assert (total.low, total.high, total.exponent) == (whole.low, whole.high, whole.exponent)
    assert_array_equal(total.counts, whole.counts)


@settings(max_examples=100, deadline=None)
@given(st.lists(FLOATS, min_size=1, max_size=20))
def test_every_value_is_counted_in_the_bin_that_holds_it(values: list[float]) -> None:
    h = histogram(np.array(values, np.float32))
    width = 2.0**h.exponent
    expected = np.zeros(2 * SIDE, int)
    for value in np.array(values, np.float32).astype(float):
        expected[int(np.floor(value / width)) + SIDE] += 1
    assert_array_equal(h.counts, expected)


@pytest.mark.parametrize("values", [[0.0, 0.0], [1e-40], [3e38, -3e38], [-1.0, -2.0]])
def test_extreme_values_are_counted(values: list[float]) -> None:
    h = histogram(np.array(values, np.float32))
    assert h.counts.sum() == len(values)
    assert (h.low, h.high) == (min(np.float32(values)), max(np.float32(values)))


def test_a_range_holds_zero() -> None:
    assert with_zero(2, 3) == Range(0, 3)
    assert with_zero(-3, -2) == Range(-3, 0)
    assert united([Range(-1, 2), Range(-3, 1)]) == Range(-3, 2)


def test_minmax_is_the_smallest_and_largest_value() -> None:
    assert chosen_range(histogram(np.float32([0.5, -1.25, 7])), "minmax", 99) == Range(-1.25, 7)


def test_a_percentile_leaves_out_that_part_on_each_side() -> None:
    values = np.random.default_rng(0).normal(size=200_000).astype(np.float32)
    found = percentile_range(histogram(values), 99.0)
    assert found.low == pytest.approx(np.percentile(values, 1), abs=0.005)
    assert found.high == pytest.approx(np.percentile(values, 99), abs=0.005)
    assert percentile_range(histogram(values), 100.0) == Range(float(values.min()), float(values.max()))


def test_one_outlier_in_many_values_is_left_out() -> None:
    values = np.append(np.linspace(-1, 1, 99_999), 50).astype(np.float32)
    assert percentile_range(histogram(values), 99.99).high == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("outliers", [[], [9.0, -5.0], [30.0]])
def test_least_squares_finds_the_best_range_there_is(outliers: list[float]) -> None:
    values = np.append(np.random.default_rng(1).laplace(size=20_000) * 0.5, outliers).astype(np.float32)
    seen = histogram(values)
    found = least_squares_range(seen)

    def error(r: Range) -> float:
        return squared_error(values.astype(float), np.ones(len(values), int), r)

    shrinks = np.linspace(1, 0.05, 24)
    best = min(error(Range(seen.low * low, seen.high * high)) for low in shrinks for high in shrinks)
    assert error(found) <= 1.05 * best


def test_values_on_a_grid_of_int8_are_kept_whole_by_least_squares() -> None:
    grid = ((np.arange(-128, 128) + 28) * np.float32(0.125)).astype(np.float32)
    assert least_squares_range(histogram(grid)) == Range(-12.5, 19.375)


@settings(max_examples=300, deadline=None)
@given(st.floats(-1e5, 0), st.floats(0, 1e5))
def test_int8_covers_the_range_and_holds_zero_exactly(low: float, high: float) -> None:
    quant = activation_quant(Range(low, high))
    assert -128 <= quant.zero_point <= 127
    assert quant.axis is None
    if (high - low) / 255 < np.finfo(np.float32).tiny:
        assert quant.scale == 1
        return
    assert quant.scale == np.float32((high - low) / 255)
    # The ends are met to half a step, by which the zero point is rounded.
    assert (-128 - quant.zero_point) * quant.scale == pytest.approx(low, abs=0.51 * quant.scale)
    assert (127 - quant.zero_point) * quant.scale == pytest.approx(high, abs=0.51 * quant.scale)
