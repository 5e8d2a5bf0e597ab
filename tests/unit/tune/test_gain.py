"""What compression gains on a board, and that nothing gained is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midge.data import load_data
from midge.errors import BoardError
from midge.ir.graph import NO_CLAMP, Graph
from midge.ops.fully_connected import FullyConnected
from midge.settings import Settings
from midge.tune.gain import Cost, Gain, gain
from small_graphs import floats, graph


def _network(outputs: int) -> Graph:
    draw = np.random.default_rng(3)
    tensors = [
        floats("x", (1, 32)),
        floats("w", (outputs, 32), draw.standard_normal((outputs, 32))),
        floats("b", (outputs,), draw.standard_normal(outputs)),
        floats("y", (1, outputs)),
    ]
    return graph(
        ["x"], ["y"], tensors, [FullyConnected(name="fc", inputs=("x", "w", "b"), outputs=("y",), clamp=NO_CLAMP)]
    )


def test_a_smaller_network_gains_and_the_same_one_gains_nothing(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    np.savez(tmp_path / "d.npz", x=draw.standard_normal((20, 32)).astype(np.float32), split=np.ones(20, np.uint8))
    large, small = _network(48), _network(12)
    data = load_data(tmp_path / "d.npz", large)
    found = gain(large, small, Settings(), data)
    assert found.precision == "int8"
    assert found.after.cycles < 0.5 * found.before.cycles
    assert found.before.const_bytes - found.after.const_bytes >= 36 * 32
    assert "fewer cycles" in found.sentence
    assert found.sentence.endswith("on nucleo_l4r5zi")
    same = gain(small, small, Settings())
    assert same.precision == "float"
    assert same.is_nothing
    assert same.sentence.startswith("gains nothing on nucleo_l4r5zi: ")


def test_one_percent_of_either_is_a_gain() -> None:
    before = Cost(10_000, 9_000, 1_000)
    nothing = Gain("b", "exact cycles", "int8", before, replace(before, cycles=9_950, code_bytes=1_200))
    assert nothing.is_nothing
    assert "50 fewer cycles (0 % of 10,000), 200 more bytes (2 % of 10,000)" in nothing.sentence
    assert not replace(nothing, after=replace(before, const_bytes=8_900, cycles=20_000)).is_nothing


def test_a_board_without_a_twin_is_refused() -> None:
    with pytest.raises(BoardError, match="twin"):
        gain(_network(4), _network(4), replace(Settings(), board="nano_every"))
