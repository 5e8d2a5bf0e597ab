"""Which positions sparse kernels keep: each once, in reach of what comes before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from midge.boards import load_board
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.kernels.paired_channels import folded_sums
from midge.kernels.select import layer_of, select
from midge.kernels.sparse_channels import grouped, kept_positions, steps
from midge.kernels.sparse_row import row_plan
from midge.kernels.timings import signature
from midge.settings import Goal

SHARES = (0.02, 0.1, 0.25, 0.5, 0.9)


def _weights(share: float, channels: int = 8, positions: int = 400) -> Array:
    rng = np.random.default_rng(int(100 * share))
    return rng.integers(1, 100, (channels, positions)) * (rng.random((channels, positions)) < share)


@pytest.mark.parametrize("share", SHARES)
def test_a_position_is_kept_where_one_of_four_channels_has_a_weight(share: float) -> None:
    weights = _weights(share, channels=6)
    first, second = kept_positions(weights, np.arange(400)).positions
    assert first.tolist() == np.flatnonzero(weights[:4].any(axis=0)).tolist()
    assert second.tolist() == np.flatnonzero(weights[4:].any(axis=0)).tolist()


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("least", [1, 3, 1000])
def test_each_kept_position_is_in_one_pair(share: float, least: int) -> None:
    for kept in kept_positions(_weights(share), np.arange(400)).positions:
        group = grouped(kept, least)
        assert (np.diff(group.neighbors, axis=1) == 1).all()
        assert len(group.strangers) > 0
        places = group.pairs.reshape(-1)
        assert sorted(places[places >= 0].tolist()) == kept.tolist()


def test_an_empty_group_keeps_a_pair_without_weights() -> None:
    assert grouped(np.array([], np.int64), 1).pairs.tolist() == [[0, -1]]


def test_steps_lead_from_position_to_position() -> None:
    runs = [np.array([0, 1, 15, 30]), np.array([], np.int64), np.array([100])]
    words = steps(runs).view(np.uint32)
    nibbles = ((words[:, None] >> np.arange(0, 32, 4)) & 15).reshape(-1).tolist()
    expected = [0, 0, 13, 15, 0, 14, 14, *[15] * 7, 2, 14]
    assert nibbles[: len(expected)] == expected


@pytest.mark.parametrize("share", SHARES)
def test_a_row_keeps_each_position_once_and_in_reach(share: float) -> None:
    weights = _weights(share)
    found = row_plan(folded_sums(weights, np.zeros(8), 0), np.arange(400))
    for group, kept in zip(found.groups, kept_positions(weights, np.arange(400)).positions, strict=True):
        assert len(group.neighbors) % found.turn == 0
        assert len(group.strangers) > 0
        places = np.concatenate([group.neighbors, group.strangers]).reshape(-1)
        assert sorted(places[places >= 0].tolist()) == kept.tolist()
        assert group.index.min() >= 0
        assert group.index.max() <= 255
        neighbors = np.cumsum(group.index[: len(group.neighbors)]) // 2
        real = group.neighbors[:, 0] >= 0
        assert (neighbors[real] == group.neighbors[real, 0]).all()
        bytes_ = group.index[len(group.neighbors) :][-len(group.strangers) :]
        strangers = np.cumsum(np.stack([bytes_ & 15, bytes_ >> 4], axis=1).reshape(-1))
        real = group.strangers.reshape(-1) >= 0
        assert (strangers[real] == group.strangers.reshape(-1)[real]).all()


def _pruned(monkeypatch: pytest.MonkeyPatch, sparsity: float) -> Graph:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[3] / "benchmarks"))
    import sparse

    graph: Graph = sparse.sparse(sparse.LAYERS["fully connected 640 to 128"]("int8"), "1x4", sparsity)
    return graph


@pytest.mark.parametrize("goal", ["speed", "balanced", "size"])
def test_each_goal_leaves_zeros_out_where_there_are_many(goal: Goal, monkeypatch: pytest.MonkeyPatch) -> None:
    core = load_board("nucleo_l4r5zi").core
    (chosen,) = select(_pruned(monkeypatch, 0.75), core, goal).variants
    assert chosen is not None
    assert chosen.name == "dsp_sparse"


def test_few_zeros_are_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    (chosen,) = select(_pruned(monkeypatch, 0.15), load_board("nucleo_l4r5zi").core).variants
    assert chosen is not None
    assert chosen.name == "dsp"


def test_what_was_measured_goes_before_what_is_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = _pruned(monkeypatch, 0.75)
    timings = {signature(layer_of(graph, 0)): {"dsp": 1000, "dsp_sparse": 2000}}
    (chosen,) = select(graph, load_board("nucleo_l4r5zi").core, timings=timings).variants
    assert chosen is not None
    assert chosen.name == "dsp"
