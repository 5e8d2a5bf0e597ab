"""Weights for two pixels per multiplication: the order of the words, and when halves can be taken apart exactly."""

from __future__ import annotations

import numpy as np

from midge.kernels.pixel_pairs import by_pairs, can_add_pairs, can_pack, pack, padded_depth


def test_a_word_has_two_positions_of_two_channels() -> None:
    weights = np.array([[1, 2, 3, 4, 5, 6, 7, 8], [-1, -2, -3, -4, -5, -6, -7, -8]])
    words = pack(weights).view(np.uint8).view(np.int8).reshape(-1, 4)
    assert words.tolist() == [[1, 2, -1, -2], [3, 4, -3, -4], [5, 6, -5, -6], [7, 8, -7, -8]]


def test_channels_and_positions_are_filled_up_with_zeros() -> None:
    words = pack(np.full((3, 9), 7)).view(np.int8).reshape(2, 8, 4)
    assert padded_depth(9) == 16
    assert (words[0, :4] == 7).all()
    assert words[0, 4].tolist() == [7, 0, 7, 0]
    assert (words[1, :, 2:] == 0).all()
    assert not words[:, 5:].any()


def test_scales_go_by_pairs_with_the_biases_first() -> None:
    words = np.array([[1, 10, 11], [2, 20, 21], [3, 30, 31]])
    assert by_pairs(words).tolist() == [[1, 2, 10, 11, 20, 21], [3, 0, 30, 31, 0, 0]]


def test_two_products_with_any_activations_stay_within_16_bits_where_it_says_so() -> None:
    for first, second, able in [(127, 127, True), (-127, 127, True), (-128, 127, True), (-128, -128, False)]:
        assert can_add_pairs(np.array([[first, second]])) == able
        activations = np.array([-128, 127])
        sums = first * activations[:, None] + second * activations[None, :]
        assert ((sums >= -(1 << 15)) & (sums < 1 << 15)).all() or not able


def test_only_neighbors_are_added() -> None:
    assert can_pack(np.array([[1, -128, -127, 1, 1]]))
    assert not can_pack(np.array([[1, 1, -128, -128, 1]]))
    assert can_add_pairs(np.array([[1, 1, -128]]))


def test_the_halves_come_apart_exactly_at_the_ends() -> None:
    # What the kernels do with a pair of products, in 32 bits.
    for weights in ((127, 127), (-127, -127), (-128, 127), (127, -128)):
        for a in ((-128, -128), (127, 127), (-128, 127)):
            for b in ((-128, -128), (127, 127), (127, -128)):
                p = sum(w * (65536 * y + x) for w, x, y in zip(weights, a, b, strict=True))
                assert -(1 << 31) <= p + 32768 < 1 << 31
                upper = (p + 32768) >> 16
                assert upper == sum(w * y for w, y in zip(weights, b, strict=True))
                assert p - (upper << 16) == sum(w * x for w, x in zip(weights, a, strict=True))
