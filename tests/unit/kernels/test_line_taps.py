"""What the assembly is told to do with a window's activations gives the sums; a table of steps gives the outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from midge.ir.tensor import Array
from midge.kernels.byte_products import byte_products
from midge.kernels.byte_scaling import steps_table
from midge.kernels.line_taps import SLOTS, line_group
from midge.numerics.requantize import Requantization


def _carried_out(params: dict[str, Any], x: Array, raw: bool) -> list[int]:
    """The channels' sums as the assembly makes them, register pairs modulo 2^16 or three bytes modulo 2^24."""
    registers: dict[int, int] = {low: 0 for low, _ in params["zeroed"]}
    for tap, uses in params["taps"]:
        value = int(x[tap]) + (0 if raw else 128)
        for magnitude, targets in uses:
            for low, carry, action in targets:
                before = 0 if action == "set" else registers[low]
                sign = -1 if action == "sub" else 1
                registers[low] = (before + sign * magnitude * value) % (1 << (16 if carry is None else 24))
    sums = []
    for parts in params["sums"]:
        total = 0
        for low, carry, (least_low, least_high) in parts:
            least = least_low | least_high << 8
            total += registers[low] if carry is not None else (registers[low] - least) % (1 << 16)
        sums.append(total % (1 << 24))
    return sums


@pytest.mark.parametrize("zero_point", [-128, 5])
@pytest.mark.parametrize("most", [1, 30, 60, 127])
def test_sums_are_those_of_the_definition(most: int, zero_point: int) -> None:
    rng = np.random.default_rng([most, zero_point + 128])
    for _ in range(20):
        channels, taps = int(rng.integers(1, len(SLOTS) + 1)), int(rng.integers(1, 20))
        rows = rng.integers(-most, most + 1, (channels, taps))
        group = line_group(rows, range(taps), zero_point)
        for x in (rng.integers(-128, 128, taps), np.full(taps, -128), np.full(taps, 127)):
            offset = 0 if group.raw else 128
            expected = [int((row * (x + offset)).sum()) - least for row, least in zip(rows, group.least, strict=True)]
            assert _carried_out(group.params, x, group.raw) == [v % (1 << 24) for v in expected]


def test_no_register_serves_two_sums() -> None:
    rows = np.random.default_rng(0).integers(-127, 128, (4, 9))
    for zero_point in (-128, 0):
        sums: Any = line_group(rows, range(9), zero_point).params["sums"]
        taken = [r for parts in sums for low, carry, _ in parts for r in (low, low + 1, carry) if r is not None]
        assert len(taken) == len(set(taken))


@pytest.mark.parametrize("most", [150_000, 2_000_000])
def test_a_table_of_steps_gives_the_outputs_of_the_definition(most: int) -> None:
    r = Requantization(np.array([1_400_000_000], np.int32), np.array([-8], np.int32), -128, -128, 127)
    found = byte_products(r, np.array([-most]), np.array([most]))
    assert found is not None
    steps = steps_table(found, most)
    assert steps is not None
    assert steps.is_whole == (most < 200_000)
    last = most - int(found.starts[0]) if steps.is_whole else int(found.lasts[0])
    u = np.arange(last + 1)
    rises, before = (np.array(steps.pairs[n::2])[u >> 8] for n in (0, 1))
    outputs = (before + ((u & 255) >= rises)).astype(np.uint8).view(np.int8)
    assert np.array_equal(outputs, r.apply((u + found.starts[0])[:, None])[:, 0])


def test_steps_that_are_too_near_have_no_table() -> None:
    r = Requantization(np.array([1_400_000_000], np.int32), np.array([-5], np.int32), -128, -128, 127)
    found = byte_products(r, np.array([-100_000]), np.array([100_000]))
    assert found is not None
    assert steps_table(found, 100_000) is None
