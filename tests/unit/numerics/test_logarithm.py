"""The fixed-point logarithm against the real one."""

from __future__ import annotations

import numpy as np

from midge.numerics.logarithm import logarithm


def test_the_logarithm_is_close_to_the_real_one() -> None:
    raw = np.exp(np.random.default_rng(1).uniform(np.log(1 << 19), np.log((1 << 31) - 1), 20_000)).astype(np.int64)
    raw = np.append(raw, [1 << 19, (1 << 31) - 1, 741455, 741456, *(1 << np.arange(20, 31))])
    assert np.abs(logarithm(raw, 12) / 2.0**26 - np.log(raw / 2.0**19)).max() < 1e-6


def test_the_logarithm_of_one_is_nothing() -> None:
    assert abs(int(logarithm(np.array(1 << 19), 12))) < 8
