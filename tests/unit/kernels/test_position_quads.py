"""Weights for four positions at a time: what lies in the stream, and when four products may be added up."""

from __future__ import annotations

import numpy as np
import pytest

from midge.kernels.position_quads import bind_matrix, can_add, channel_order, scaling_of
from midge.numerics.requantize import Requantization

# Sums up to some thousands spread over all outputs; RELU with the lowest zero point.
RELU = Requantization(np.array([1_518_500_253], np.int32), np.array([-6], np.int32), -128, -128, 127)
NO_RELU = Requantization(np.array([1_518_500_253], np.int32), np.array([-6], np.int32), 3, -128, 127)


def _stream(rows: np.ndarray) -> list[int]:
    params, constants = bind_matrix(rows, np.zeros(len(rows), np.int32), 0, RELU)
    assert params["quads"] == -(-rows.shape[1] // 4)
    return [int(word) & 0xFFFFFFFF for word in constants[0].values]


def test_a_quad_is_four_weights_of_each_channel_behind_its_flag() -> None:
    assert _stream(np.array([[1, 2, 3, 4], [-1, -2, -3, -4]])) == [0, 0x04030201, 0xFCFDFEFF]


def test_a_flag_marks_four_products_that_do_not_go_together() -> None:
    rows = np.zeros((2, 12), np.int64)
    rows[1, 4:8] = 64
    assert _stream(rows)[0] == 0x40000000


def test_four_products_go_together_up_to_a_sum_of_255() -> None:
    rows = np.array([[127, 127, 1, 0], [1, 1, 1, 1]])
    assert _stream(rows)[0] == 0
    rows[0, 3] = 1
    assert _stream(rows)[0] == 1 << 31


def test_flags_come_anew_after_32_quads() -> None:
    rows = np.ones((2, 4 * 33), np.int64)
    rows[0, -4:] = 120
    words = _stream(rows)
    assert len(words) == 2 + 2 * 33
    assert (words[0], words[65]) == (0, 1 << 31)


def test_a_pair_of_products_must_fit_16_bits() -> None:
    assert can_add(np.array([[-127, 127], [0, 0]]))
    assert not can_add(np.array([[-128, -128], [0, 0]]))


@pytest.mark.parametrize(("channels", "order"), [(2, [0, 1]), (4, [0, 1, 2, 3]), (5, [0, 1, 2, 3, 3, 4])])
def test_the_last_of_an_odd_number_of_channels_is_done_with_the_one_before(channels: int, order: list[int]) -> None:
    assert channel_order(channels).tolist() == order


@pytest.mark.parametrize("r", [RELU, NO_RELU])
def test_the_rule_equals_the_definition_for_each_sum(r: Requantization) -> None:
    rows, bias, zero_point = np.array([[100, -100, 50]]), np.array([77]), -5
    scaled = scaling_of(rows, bias, zero_point, r)
    assert scaled is not None
    assert scaled.is_signed == (r is NO_RELU)
    sums = np.arange(-250 * 128, 250 * 128)
    value = (sums << scaled.fraction) + scaled.words[0, 0]
    if scaled.is_signed:
        value = np.where(value < 0, value - scaled.words[0, 2], value)
    found = np.clip(((value * scaled.words[0, 1] >> 32) + scaled.addend) >> scaled.shift, 0, 255) - 128
    expected = r.apply((sums + 77 - zero_point * rows.sum())[:, None])[:, 0]
    assert found.tolist() == expected.tolist()
