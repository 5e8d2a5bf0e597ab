"""Requantization by products of bytes equals the definition: around every step, and on a million drawn sums."""

from __future__ import annotations

import numpy as np
import pytest

from midge.ir.tensor import Array
from midge.kernels.byte_products import ByteProducts, byte_products
from midge.numerics.requantize import Requantization

CHANNELS = 24
SUMS = 4096
# Zero point and clamp: RELU at the lowest output, inside the range, narrower than int8, none.
OUTPUTS = [(-128, -128, 127), (-20, -20, 127), (-128, -128, 5), (14, -128, 127), (127, -128, 127)]
SEEDS = range(15)


def _drawn(seed: int) -> tuple[Requantization, Array, Array]:
    """Factors as layers have them: within a factor of four of each other."""
    rng = np.random.default_rng(seed)
    zero_point, low, high = OUTPUTS[seed % len(OUTPUTS)]
    multipliers = rng.integers(1 << 30, 1 << 31, CHANNELS).astype(np.int32)
    shifts = -rng.integers(0, 2, CHANNELS) - rng.integers(4, 9)
    reach = int(2 ** rng.uniform(10, 19))
    least, most = -rng.integers(1, reach, CHANNELS), rng.integers(1, reach, CHANNELS)
    return Requantization(multipliers, shifts.astype(np.int32), zero_point, low, high), least, most


def _found(seed: int) -> tuple[Requantization, ByteProducts, Array, Array]:
    r, least, most = _drawn(seed)
    found = byte_products(r, least, most)
    assert found is not None
    return r, found, least, most


@pytest.mark.parametrize("seed", SEEDS)
def test_it_equals_the_definition(seed: int) -> None:
    r, found, least, most = _found(seed)
    rng = np.random.default_rng([seed, 1])
    window = rng.integers(found.starts - 3, found.starts + found.lasts + 4, (SUMS, CHANNELS))
    for sums in (
        rng.integers(least, most + 1, (SUMS, CHANNELS)),
        np.clip(window, least, most),
        np.stack([least, most]),
    ):
        assert np.array_equal(found.apply(sums), r.apply(sums))


@pytest.mark.parametrize("seed", [1, 3])
def test_it_equals_the_definition_on_every_sum_of_a_small_range(seed: int) -> None:
    r, _, _ = _drawn(seed)
    least, most = np.full(CHANNELS, -20_000), np.full(CHANNELS, 20_000)
    found = byte_products(r, least, most)
    assert found is not None
    sums = np.broadcast_to(np.arange(-20_000, 20_001)[:, None], (40_001, CHANNELS))
    assert np.array_equal(found.apply(sums), r.apply(sums))


@pytest.mark.parametrize("seed", SEEDS)
def test_numbers_have_the_bytes_that_the_record_gives_them(seed: int) -> None:
    _, found, _, _ = _found(seed)
    form = found.form
    assert (found.factors < 1 << 8 * form.factor_bytes).all()
    assert (found.lasts < 1 << 8 * form.width).all()
    assert 1 <= found.addend_bytes <= 4
    signed = form.width + found.below_bytes if found.below is not None else 0
    assert found.records.shape == (CHANNELS, form.width + signed + found.addend_bytes + form.factor_bytes)


def test_a_narrow_window_takes_fewer_products_than_a_wide_one() -> None:
    def form_of(shift: int) -> int:
        r = Requantization(np.array([1_500_000_000], np.int32), np.array([shift], np.int32), -128, -128, 127)
        found = byte_products(r, np.array([-400_000]), np.array([400_000]))
        assert found is not None
        return found.form.cycles

    assert form_of(-3) < form_of(-6) < form_of(-9)


def test_a_factor_that_multiplies_is_refused() -> None:
    r = Requantization(np.array([1_500_000_000], np.int32), np.array([1], np.int32), 0, -128, 127)
    assert byte_products(r, np.array([-100]), np.array([100])) is None
