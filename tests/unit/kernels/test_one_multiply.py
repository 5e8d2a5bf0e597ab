"""Requantization by one multiplication against the definition, accumulator by accumulator."""

from __future__ import annotations

import numpy as np
import pytest

from midge.ir.tensor import Array
from midge.kernels.one_multiply import Line, largest_shift, one_multiply
from midge.numerics.fixed_point import quantize_multiplier
from midge.numerics.requantize import Requantization

RELU_ZERO = -128


def _requantization(factors: Array, zero_point: int, low: int = -128, high: int = 127) -> Requantization:
    pairs = [quantize_multiplier(float(f)) for f in factors]
    multipliers, shifts = (np.array(column, np.int32) for column in zip(*pairs, strict=True))
    return Requantization(multipliers, shifts, zero_point, low, high)


def _line(r: Requantization, reach: int, gain: int) -> Line | None:
    count = len(r.multipliers)
    low, high = np.full(count, -reach), np.full(count, reach)
    shift = min(5, largest_shift(r)) + (8 if gain == 256 else 0)
    return one_multiply(r, low, high, np.full(count, gain), np.full(count, shift))


@pytest.mark.parametrize("gain", [1, 256])
def test_a_line_gives_the_definition_for_every_accumulator_behind_a_relu(gain: int) -> None:
    factors = np.exp(np.random.default_rng(gain).uniform(np.log(1e-3), np.log(2e-2), 24))
    r, reach = _requantization(factors, RELU_ZERO), 120_000
    line = _line(r, reach, gain)
    assert line is not None
    x = np.arange(-reach, reach + 1)
    for channel in range(len(factors)):
        alone = Requantization(r.multipliers[[channel]], r.shifts[[channel]], r.zero_point, r.low, r.high)
        mine = Line(*(v[[channel]] for v in (line.gains, line.shifts, line.factors, line.addends, line.offsets)))
        assert (mine.apply(x[:, None]) == alone.apply(x[:, None])).all()


def test_products_fit_the_instructions() -> None:
    r = _requantization(np.array([0.003, 0.0171, 0.4]), RELU_ZERO)
    line = _line(r, 200_000, 1)
    assert line is not None
    assert ((line.factors >= 0) & (line.factors < 1 << 31)).all()
    assert (np.abs(200_000 * line.gains + np.abs(line.offsets)) < 1 << 31).all()


def test_there_is_no_line_where_rounding_turns_at_zero_within_the_outputs() -> None:
    assert _line(_requantization(np.array([0.0123]), 3), 60_000, 256) is None


def test_there_is_no_line_for_a_clamp_inside_the_type() -> None:
    assert _line(_requantization(np.array([0.0123]), RELU_ZERO, high=100), 60_000, 256) is None


def test_a_channel_that_never_changes_needs_no_factor() -> None:
    line = _line(_requantization(np.array([1e-7, 0.01]), RELU_ZERO), 60_000, 1)
    assert line is not None
    assert line.factors[0] == 0
    assert line.apply(np.array([[-60_000], [0], [60_000]]))[:, 0].tolist() == [-128] * 3


def test_a_factor_of_one_half_or_more_has_no_shift() -> None:
    assert largest_shift(_requantization(np.array([0.01, 0.6]), RELU_ZERO)) < 0
