"""What unpacking costs on the Cortex-M4F: rows of benchmarks/narrow.py and clustered.py, exact and within limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from compilers import needed_toolchain
from midge.boards import load_board
from midge.settings import Width

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.parametrize(
    ("layer", "width", "cycles_per_mac", "const_bytes"),
    [
        ("pointwise 64 to 64", "int4", 1.9, 64 * 64 // 2 + 64 * 13),
        ("pointwise 64 to 64", "binary", 1.9, 64 * 64 // 8 + 64 * 13),
        ("fully connected 640 to 128", "int4", 2.1, 640 * 128 // 2 + 128 * 13),
        ("fully connected 640 to 128", "ternary", 2.1, 640 * 128 // 4 + 128 * 13),
    ],
)
def test_narrow_weights_are_exact_small_and_fast(
    layer: str, width: Width, cycles_per_mac: float, const_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import narrow

    needed_toolchain(load_board(narrow.BOARD).core)
    row = narrow.measure(layer, width)
    assert "packed" in row.kernel
    assert row.cycles_per_mac <= cycles_per_mac
    assert row.const_bytes <= const_bytes


@pytest.mark.parametrize(
    ("layer", "weights", "cycles_per_mac", "const_bytes"),
    [
        ("pointwise 64 to 64", "4 values", 1.9, 64 * 64 // 4 + 64 * 13),
        ("fully connected 640 to 128", "16 values", 2.1, 640 * 128 // 2 + 128 * 13),
    ],
)
def test_weights_of_few_values_are_exact_small_and_fast(
    layer: str, weights: str, cycles_per_mac: float, const_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import clustered

    needed_toolchain(load_board(clustered.BOARD).core)
    row = clustered.measure(layer, weights, "balanced")
    assert "packed" in row.kernel
    assert row.cycles_per_mac <= cycles_per_mac
    assert row.const_bytes <= const_bytes
