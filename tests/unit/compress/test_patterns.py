"""Granularities: groups are what they are called, N of M holds in every group, and as much goes as was asked."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from midge.compress.patterns import groups_of, kept_evenly, kept_of_all, kept_of_each, ratio_sparsity
from midge.compress.steps import Granularity
from midge.errors import SettingsError
from midge.ir.tensor import Array
from midge.kernels.sparsity import PATTERNS

RATIOS = [name for name in get_args(Granularity) if ratio_sparsity(name) is not None]
SHAPED: tuple[Granularity, ...] = ("fine", "1x2", "1x4", "kernels")


def drawn(shape: tuple[int, ...], seed: int = 0) -> Array:
    values: Array = np.random.default_rng(seed).random(shape) + 0.01
    return values


def test_a_vector_is_four_output_channels_of_one_position() -> None:
    ids = groups_of((8, 3, 1, 2), "1x4")
    assert ids[:, 0, 0, 0].tolist() == [0, 0, 0, 0, 6, 6, 6, 6]
    assert len(np.unique(ids)) == 2 * 3 * 2
    assert (np.bincount(ids.reshape(-1)) == 4).all()


def test_channels_that_do_not_divide_end_in_a_short_vector() -> None:
    assert groups_of((6, 2), "1x4").tolist() == [[0, 1]] * 4 + [[2, 3]] * 2


def test_a_kernel_is_all_taps_of_a_pair_of_channels() -> None:
    ids = groups_of((2, 3, 3, 4), "kernels")
    assert all(np.unique(ids[o, :, :, i]).size == 1 for o in range(2) for i in range(4))
    assert np.unique(ids).size == 8


@pytest.mark.parametrize("granularity", RATIOS)
def test_each_window_keeps_its_largest_vectors(granularity: Granularity) -> None:
    pattern = PATTERNS[granularity]
    stay, window = pattern.kept, pattern.window
    scores = drawn((8, 2, 2, 2 * window + 3))
    kept = kept_of_each(scores, granularity, 1 - stay / window)
    for first in (0, 4):
        mask = kept[first : first + 4]
        assert (mask == mask[:1]).all()
        sums = scores[first : first + 4].sum(axis=0)
        for row, stays in zip(sums.reshape(-1, sums.shape[-1]), mask[0].reshape(-1, sums.shape[-1]), strict=True):
            for start in (0, window):
                best = np.sort(row[start : start + window])[-stay:]
                assert sorted(row[start : start + window][stays[start : start + window]]) == best.tolist()
            assert stays[2 * window :].sum() == -(-stay * 3 // window)


def test_n_of_m_at_a_lower_sparsity_takes_only_what_goes_later_too() -> None:
    scores = drawn((8, 16))
    early, late = kept_of_each(scores, "2:4", 0.25), kept_of_each(scores, "2:4", 0.5)
    assert (~early).sum() == scores.size // 4
    assert not (~early & late).any()


@pytest.mark.parametrize("granularity", SHAPED)
@pytest.mark.parametrize("comparable", [False, True])
@pytest.mark.parametrize("sparsity", [0.3, 0.75, 0.875])
def test_so_much_goes_as_was_asked(granularity: Granularity, comparable: bool, sparsity: float) -> None:
    scores = {"a": drawn((16, 3, 3, 16)), "b": 100 * drawn((12, 3, 3, 20), 1)}
    kept = kept_of_all(scores, granularity, sparsity, comparable)
    total = sum(s.size for s in scores.values())
    gone = sum(int((~mask).sum()) for mask in kept.values())
    group = {"fine": 1, "1x2": 2, "1x4": 4, "kernels": 9}[granularity]
    assert sparsity * total - 1 <= gone < sparsity * total + group
    assert all(mask.any() for mask in kept.values())
    for name, mask in kept.items():
        ids = groups_of(scores[name].shape, granularity)
        share = np.bincount(ids.reshape(-1), mask.reshape(-1)) / np.bincount(ids.reshape(-1))
        assert set(share.tolist()) <= {0.0, 1.0}


def test_evenly_every_layer_loses_the_same_and_makes_up_for_those_that_are_spared() -> None:
    scores = {"a": drawn((16, 32)), "b": 100 * drawn((8, 64), 1), "spared": drawn((8, 8), 2)}
    kept = kept_evenly(scores, ["spared"], "1x4", 0.5, comparable=True)
    part = 0.5 * (1024 + 64) / 1024
    assert kept["spared"].all()
    for name in ("a", "b"):
        assert 1 - kept[name].mean() == pytest.approx(part, abs=4 / scores[name].size)
    with pytest.raises(SettingsError, match="evenly"):
        kept_evenly(scores, ["a", "b"], "1x4", 0.5, comparable=True)


def test_what_goes_first_is_the_least() -> None:
    scores = np.array([[1.0, 2, 3, 4, 9, 9, 9, 9]]).T
    kept = kept_of_all({"a": scores}, "1x4", 0.5, comparable=True)
    assert kept["a"].tolist() == [[False]] * 4 + [[True]] * 4


def test_scores_that_cannot_be_compared_count_as_shares_of_their_layer() -> None:
    scores = drawn((4, 16))
    for factor in (1e-6, 1e6):
        kept = kept_of_all({"a": scores, "b": factor * scores}, "fine", 0.5, comparable=False)
        np.testing.assert_array_equal(kept["a"], kept["b"])


def test_a_sparsity_that_would_empty_a_layer_is_refused() -> None:
    with pytest.raises(SettingsError) as error:
        kept_of_all({"a": drawn((4, 1)), "b": drawn((8, 1))}, "1x4", 0.9, comparable=True)
    assert "0.333" in error.value.message


def test_every_granularity_is_known_to_somebody() -> None:
    assert {*SHAPED, *RATIOS, "filters", "blocks"} == set(get_args(Granularity))
