"""Measured kernels: remembered for the core and compiler, and used."""

from __future__ import annotations

from pathlib import Path

import pytest

from midge.boards import load_core
from midge.build.toolchain import Toolchain
from midge.data import load_data
from midge.errors import SettingsError
from midge.importers import import_model
from midge.kernels.select import able_variants, select
from midge.kernels.timings import signature
from midge.pipeline import Compiled, compile_model
from midge.settings import Settings
from midge.tune.memory import recall, remember
from midge.tune.tuner import alone, tune

DIGITS = Path(__file__).resolve().parents[3] / "examples" / "digits"
GCC = Toolchain("gcc", "gcc", ("gcc",), "gcc 12", ("-mcpu=cortex-m4",))


@pytest.fixture(scope="module")
def digits() -> Compiled:
    model = import_model(DIGITS / "digits.tflite")
    return compile_model(model, Settings(), load_data(DIGITS / "digits.npz", model.graph))


def test_the_measured_fastest_kernel_is_chosen(digits: Compiled) -> None:
    layers = [layer for layer, _ in digits.selection.layers() if len(able_variants(layer, digits.board.core)) > 1]
    assert layers
    for layer in layers:
        # What more than doubles constants answers to the flash budget, too (test_winograd.py).
        for favorite in (v for v in able_variants(layer, digits.board.core) if v.growth(layer) <= 2):
            cycles = {v.name: 1000 for v in able_variants(layer, digits.board.core)} | {favorite.name: 10}
            chosen = select(digits.graph, digits.board.core, timings={signature(layer): cycles})
            assert {i.op.name: v.name for i, v in chosen.layers()}[layer.op.name] == favorite.name


def test_what_is_remembered_is_recalled_for_the_same_compiler_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MIDGE_CACHE_DIR", str(tmp_path))
    core = load_core("cortex-m4f")
    assert recall(core, GCC) == {}
    remember(core, GCC, {"a": {"portable": 5}})
    path = remember(core, GCC, {"b": {"portable": 7, "dsp": 3}})
    assert recall(core, GCC) == {"a": {"portable": 5}, "b": {"portable": 7, "dsp": 3}}
    assert recall(core, Toolchain("gcc", "gcc", ("gcc",), "gcc 13", GCC.flags)) == {}
    path.write_text("{")
    with pytest.raises(SettingsError, match="delete it and tune again"):
        recall(core, GCC)


def test_tuning_measures_each_choice_on_the_core(digits: Compiled) -> None:
    op = next(layer.op for layer, v in digits.selection.layers() if v.name != "portable")
    graph = alone(digits.graph, op)
    part = compile_model(digits.imported, Settings(precision="float"))
    measured = tune(_with_graph(part, graph))
    (cycles,) = measured.values()
    assert set(cycles) >= {"portable"}
    assert len(cycles) > 1
    assert min(cycles.values()) < cycles["portable"]


def _with_graph(compiled: Compiled, graph: object) -> Compiled:
    from dataclasses import replace

    return replace(compiled, graph=graph)  # type: ignore[arg-type]
