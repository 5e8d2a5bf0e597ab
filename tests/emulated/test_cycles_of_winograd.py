"""What Winograd's convolution saves on the Cortex-M4F, and that midge never takes it where it loses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compilers import needed_toolchain
from differential.draw_dense import DRAWS
from midge.boards import load_board

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def _never_loses(monkeypatch: pytest.MonkeyPatch, seed: int) -> str:
    """The kernel that midge takes for a drawn layer: Winograd's where it gains a twentieth."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import sparse

    needed_toolchain(load_board(sparse.BOARD).core)
    graph = replace(DRAWS["conv2d", "dsp_winograd"](np.random.default_rng([seed, 4])).graph, name="layer")
    chosen = sparse.run(graph)
    if chosen.kernel == "dsp_winograd":
        windows = sparse.run(graph, "dsp_window")
        assert windows.kernel != "dsp_window" or chosen.cycles <= 0.95 * windows.cycles
    return chosen.kernel


def test_what_is_chosen_wins_against_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _never_loses(monkeypatch, 5) == "dsp_winograd"


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6, 36))
def test_no_drawn_layer_loses_to_windows(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _never_loses(monkeypatch, seed)
