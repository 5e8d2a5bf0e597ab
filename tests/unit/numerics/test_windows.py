"""Sliding windows against plain indexing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from midge.numerics.windows import pooled_shape, window_output_size, windows


def test_each_window_holds_the_values_under_it() -> None:
    x = np.arange(2 * 5 * 7 * 3).reshape(2, 5, 7, 3)
    kernel, stride, dilation, padding = (2, 3), (2, 1), (2, 1), ((1, 0), (2, 1))
    found = windows(x, kernel, stride, dilation, padding, fill=-1)
    assert found.shape == (2, *window_output_size((5, 7), kernel, stride, dilation, padding), 2, 3, 3)
    for i, j, a, b in itertools.product(*(range(n) for n in found.shape[1:5])):
        row, column = i * 2 + a * 2 - 1, j + b - 2
        inside = 0 <= row < 5 and 0 <= column < 7
        expected = x[:, row, column] if inside else np.full((2, 3), -1)
        np.testing.assert_array_equal(found[:, i, j, a, b], expected)


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "padding"),
    [
        ((6, 1), (1, 1), (1, 1), ((0, 0), (0, 0))),
        ((3, 1), (1, 1), (3, 1), ((0, 0), (0, 0))),
        ((1, 1), (0, 1), (1, 1), ((0, 0), (0, 0))),
        ((0, 1), (1, 1), (1, 1), ((0, 0), (0, 0))),
        ((1, 1), (1, 1), (1, 1), ((0, 0), (-1, 0))),
    ],
)
def test_a_window_that_cannot_be_is_refused(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: tuple[tuple[int, int], tuple[int, int]],
) -> None:
    with pytest.raises(ValueError):
        window_output_size((5, 5), kernel, stride, dilation, padding)


def test_pooling_refuses_a_window_of_padding_alone() -> None:
    with pytest.raises(ValueError, match="whole window"):
        pooled_shape((1, 4, 4, 2), (2, 2), (1, 1), ((2, 0), (0, 0)))
    assert pooled_shape((1, 4, 4, 2), (2, 2), (2, 2), ((1, 0), (0, 0))) == (1, 2, 2, 2)
