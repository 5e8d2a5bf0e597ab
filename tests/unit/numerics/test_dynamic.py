"""Ranges that are found at run time hold every value, to within half a step."""

from __future__ import annotations

import numpy as np
import pytest

from midge.numerics.dynamic import quantize_rows, real_sums


@pytest.mark.parametrize("asymmetric", [False, True])
def test_every_value_is_within_half_a_step(asymmetric: bool) -> None:
    rng = np.random.default_rng(3)
    rows = (rng.normal(0, 1, (40, 50)) * np.exp(rng.uniform(-5, 5, (40, 1)))).astype(np.float32)
    rows[10:20] = np.abs(rows[10:20])
    rows[20:25] = 0
    q, scales, zeros = quantize_rows(rows, asymmetric=asymmetric)
    assert (np.abs((q - zeros[:, None]) * scales[:, None] - rows) <= 0.5001 * scales[:, None]).all()
    assert q.min() >= (-128 if asymmetric else -127)


def test_zero_stays_zero() -> None:
    rows = np.array([[0.0, 3.7, 9.1], [-4.2, 0.0, 1.3]], np.float32)
    q, _, zeros = quantize_rows(rows, asymmetric=True)
    assert q[0, 0] == zeros[0]
    assert q[1, 1] == zeros[1]


def test_sums_become_reals_with_the_scale_of_their_row_and_channel() -> None:
    found = real_sums(np.array([[10, 20]]), np.array([0.5, 0.25], np.float32), np.array([2.0], np.float32), None)
    assert found.tolist() == [[10.0, 10.0]]
