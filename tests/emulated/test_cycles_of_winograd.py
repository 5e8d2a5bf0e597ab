"""What Winograd's convolution saves on the Cortex-M4F: its estimate never puts it first where it loses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compilers import needed_toolchain
from differential.draw_dense import DRAWS
from midge.boards import load_board
from midge.kernels.select import able_variants, by_estimate, layer_of

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def _never_loses(monkeypatch: pytest.MonkeyPatch, seed: int) -> str:
    """The kernel that estimates put first for a drawn layer: Winograd's where it gains a twentieth."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import sparse

    core = load_board(sparse.BOARD).core
    needed_toolchain(core)
    graph = replace(DRAWS["conv2d", "dsp_winograd"](np.random.default_rng([seed, 4])).graph, name="layer")
    layer = layer_of(graph, 0)
    first = by_estimate(layer, able_variants(layer, core))[0].name
    if first == "dsp_winograd":
        windows = sparse.run(graph, "dsp_window")
        assert windows.kernel != "dsp_window" or sparse.run(graph, first).cycles <= 0.95 * windows.cycles
    return first


def test_what_comes_first_wins_against_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _never_loses(monkeypatch, 5) == "dsp_winograd"


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6, 36))
def test_no_drawn_layer_loses_to_windows(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _never_loses(monkeypatch, seed)
