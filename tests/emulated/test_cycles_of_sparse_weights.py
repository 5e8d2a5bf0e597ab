"""What zeros save on the Cortex-M4F: the rows of benchmarks/sparse.py, exact and within their limits; and that midge
never takes a kernel for zeros that loses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compilers import needed_toolchain
from differential.draw_dense import DRAWS
from midge.boards import load_board

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
DENSE = {
    "dsp_sparse": "dsp",
    "dsp_sparse_twos": "dsp",
    "dsp_sparse_pointwise": "dsp_pointwise",
    "dsp_sparse_window": "dsp_window",
}


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import sparse

    needed_toolchain(load_board(sparse.BOARD).core)


@pytest.mark.parametrize(
    ("layer", "granularity", "sparsity", "cycles"),
    [
        ("pointwise 64 to 64", "1x4", 0.5, 400_000),
        ("pointwise 64 to 64", "1x4", 0.75, 240_000),
        ("fully connected 640 to 128", "1x4", 0.5, 80_000),
        ("fully connected 640 to 128", "1x4", 0.75, 47_000),
    ],
)
def test_sparse_weights_are_exact_small_and_fast(layer: str, granularity: str, sparsity: float, cycles: int) -> None:
    import sparse

    row = sparse.measure(layer, granularity, sparsity)
    assert "sparse" in row.ran.kernel
    assert row.ran.cycles <= cycles
    kept = (1 - sparsity) * sparse.LAYERS[layer]("int8").tensors["w"].elements
    assert row.index_bytes <= 0.15 * kept


def _never_loses(variant: tuple[str, str], seed: int) -> None:
    """On a drawn layer with zeros what midge takes is at most a hundredth slower than the dense kernel."""
    import sparse

    case = DRAWS[variant](np.random.default_rng([seed, len(variant[1])]))
    graph = replace(case.graph, name="layer")
    chosen, dense = sparse.run(graph), sparse.run(graph, DENSE[variant[1]])
    if dense.kernel == DENSE[variant[1]]:
        assert chosen.cycles <= 1.01 * dense.cycles, f"{chosen} instead of {dense}"


@pytest.mark.parametrize("name", DENSE)
def test_what_is_chosen_does_not_lose_to_the_dense_kernel(name: str) -> None:
    op = "fully_connected" if name in ("dsp_sparse", "dsp_sparse_twos") else "conv2d"
    _never_loses((op, name), 3)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", DENSE)
def test_no_drawn_layer_loses_to_the_dense_kernel(name: str, seed: int) -> None:
    op = "fully_connected" if name in ("dsp_sparse", "dsp_sparse_twos") else "conv2d"
    _never_loses((op, name), 100 + seed)
