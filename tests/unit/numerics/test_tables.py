"""Tables of int8 functions."""

from __future__ import annotations

import numpy as np

from midge.ir.tensor import Quant
from midge.numerics.tables import look_up, unary_table


def test_the_table_of_the_identity_is_every_value_in_order() -> None:
    quant = Quant.per_tensor(0.25, -3)
    assert unary_table(lambda x: x, quant, quant).tolist() == list(range(-128, 128))


def test_results_are_saturated() -> None:
    table = unary_table(lambda x: x * 100, Quant.per_tensor(1, 0), Quant.per_tensor(1, 0))
    assert (table[0], table[128], table[255]) == (-128, 0, 127)


def test_halves_are_rounded_away_from_zero() -> None:
    table = unary_table(lambda x: x, Quant.per_tensor(0.5, 0), Quant.per_tensor(1, 0))
    assert look_up(table, np.array([1, -1, 3, -3], np.int8)).tolist() == [1, -1, 2, -2]


def test_a_value_finds_its_own_entry() -> None:
    table = np.arange(127, -129, -1, dtype=np.int8)
    x = np.arange(-128, 128, dtype=np.int8)
    np.testing.assert_array_equal(look_up(table, x), -1 - x)
