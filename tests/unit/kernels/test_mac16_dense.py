"""Who gets the kernels for MAC16, and that their weights, bias and scales make the definition's outputs."""

from __future__ import annotations

import numpy as np
import pytest

from differential.draw_scalar import MAC16_VARIANTS, scalar_cases
from midge.boards import load_board
from midge.kernels.mac16_dense import MOST_POSITIONS, bind_matrix, padded, run_bytes, scaling_of
from midge.kernels.select import select
from midge.numerics.requantize import Requantization

ORDER = np.array([0, 2, 1, 3])


@pytest.mark.parametrize(("board", "is_used"), [("esp32dev", True), ("esp32-s3-devkitc-1", True), ("esp32-s2", False)])
def test_boards_whose_core_multiplies_so_get_the_kernels_unasked(board: str, is_used: bool) -> None:
    core = load_board(board).core
    for variant in MAC16_VARIANTS:
        (chosen,) = select(scalar_cases(variant, 1)[0].graph, core).variants
        assert chosen is not None
        assert chosen.name.startswith("mac16_") == is_used


def test_words_make_the_outputs_of_the_definition() -> None:
    rng = np.random.default_rng(3)
    rows = rng.integers(-127, 128, (7, 27))
    bias, zero_point = rng.integers(-5000, 5000, 7).astype(np.int32), -13
    shifts = np.array([-9, -8, -9, -10, -9, -8, -9], np.int32)
    r = Requantization(rng.integers(1 << 30, (1 << 31) - 1, 7).astype(np.int32), shifts, 5, -128, 127)
    scaled = scaling_of(rows, bias, zero_point, r)
    assert scaled is not None
    assert scaled.found is not None
    params, (weights, scales) = bind_matrix(rows, scaled)
    assert (params["turns"], params["is_half"], params["quads"]) == (1, 0, 7)
    x = rng.integers(-128, 128, (50, 27))
    widened = np.pad(x + 128, ((0, 0), (0, padded(27) - 27))).reshape(50, -1, 4)[:, :, ORDER].reshape(50, -1)
    factors = weights.values[:-2].view(np.int16).reshape(7, -1).astype(np.int64)
    starts = scales.values.reshape(7, -1)[:, 0].view(np.int32)
    sums = widened @ factors.T + starts + scaled.found.starts
    assert np.array_equal(sums, (x - zero_point) @ rows.T + bias)
    assert np.array_equal(scaled.found.apply(sums), r.apply(sums))


def test_the_longest_run_ends_where_every_fourth_pair_begins() -> None:
    assert run_bytes(MOST_POSITIONS) == 2 * 1008 - 24 + 8
    assert run_bytes(1) == 1008 + 8
