"""Int16 functions of one value and softmax stay near the real functions."""

from __future__ import annotations

import numpy as np
import pytest

from midge.numerics import sigmoid
from midge.numerics.fixed_point import quantize_multiplier
from midge.numerics.interpolated import int16_anchors, interpolate
from midge.numerics.softmax_int16 import softmax_int16

EVERY = np.arange(-32768, 32768).astype(np.int16)


@pytest.mark.parametrize("scale", [2.0**-12, 2.0**-11, 1e-4, 1e-3])
def test_logistic_and_tanh_are_within_four_steps_of_the_real_functions(scale: float) -> None:
    real = EVERY * scale
    logistic = sigmoid.logistic(EVERY, sigmoid.input_factor(scale, (0,)))
    tanh = sigmoid.tanh(EVERY, sigmoid.input_factor(scale, (0, 1)))
    assert np.abs(logistic - 32768 / (1 + np.exp(-real))).max() < 4
    assert np.abs(tanh - 32768 * np.tanh(real)).max() < 4


def test_an_input_scale_beyond_the_function_is_refused() -> None:
    with pytest.raises(ValueError, match="beyond the range"):
        sigmoid.input_factor(8.0, (0,))


def test_lines_between_anchors_follow_a_smooth_function() -> None:
    anchors = int16_anchors(np.sin, (-3.0, 3.0), (-1.0, 32767 / 32768), np.float64)
    real = np.sin(-3.0 + (EVERY.astype(np.float64) + 32768) * 6.0 / 65536)
    assert np.abs(interpolate(anchors, EVERY) - 32768 * real).max() < 3


def test_int16_softmax_is_near_the_real_one() -> None:
    rng = np.random.default_rng(5)
    x, scale = rng.integers(-32768, 32768, (50, 12)).astype(np.int16), 2e-4
    real = np.exp(x * scale - (x * scale).max(axis=1, keepdims=True))
    real /= real.sum(axis=1, keepdims=True)
    found = softmax_int16(x, quantize_multiplier(scale / (10.0 / 65535)))
    assert np.abs(found / 32768 - real).max() < 2e-3
