"""Which weights rounding leaves alone: what was an integer before, not what is one by its scale."""

from __future__ import annotations

import numpy as np

from midge.quantize.adaround import made_whole


def test_the_largest_weight_of_a_channel_may_still_be_rounded_otherwise() -> None:
    steps = np.random.default_rng(6).uniform(-126.6, 126.6, (1, 30, 4))
    steps[0, 3] = [127, -127, 127, -127]
    steps[0, 7] = 0
    assert np.flatnonzero(made_whole(steps)).tolist() == [28, 29, 30, 31]


def test_few_values_stay_as_they_are() -> None:
    values = np.array([-127.0, -31, 0, 64, 126.9999])
    assert made_whole(np.random.default_rng(7).choice(values, (2, 20, 3))).all()
