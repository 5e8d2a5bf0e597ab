"""Points lost between two networks on the same samples."""

from __future__ import annotations

import numpy as np
import pytest

from midge.errors import DataError
from midge.measure.paired import paired


def _answers(both: int, lost: int, gained: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = (both, lost, gained, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def test_only_samples_that_change_count() -> None:
    found = paired(*_answers(80, 7, 3, 10))
    assert (found.lost, found.gained, found.samples) == (7, 3, 100)
    assert found.points == pytest.approx(4.0)


def test_the_interval_is_the_published_one() -> None:
    # (b + 1, c + 1) = (8, 4) of 102: 4/102 -+ 1.96 * sqrt((12/102 - (4/102)^2) / 102)
    found = paired(*_answers(80, 7, 3, 10))
    assert (found.low, found.high) == pytest.approx((-2.6902, 10.5334), abs=1e-3)


def test_the_interval_covers_the_true_difference_in_about_95_of_100_draws() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(2000):
        kind = rng.choice(4, 300, p=(0.85, 0.04, 0.02, 0.09))
        found = paired(kind <= 1, (kind == 0) | (kind == 2))
        covered += found.low <= 2.0 <= found.high
    assert 0.93 <= covered / 2000 <= 0.98


def test_a_limit_is_met_by_the_point_estimate_or_by_one_sample() -> None:
    assert paired(*_answers(90, 2, 1, 7)).meets(0.0)
    assert not paired(*_answers(90, 3, 1, 6)).meets(1.9)
    assert paired(*_answers(90, 3, 1, 6)).meets(2.0)


def test_different_samples_are_refused() -> None:
    with pytest.raises(DataError, match="same samples"):
        paired(np.ones(3, bool), np.ones(4, bool))
