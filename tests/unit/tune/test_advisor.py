"""The advisor of compression: what it trains and what not, that it goes on, and its command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from midge.cli.compress import command
from midge.compress.steps import Distil, Prune
from midge.data import load_data
from midge.errors import CheckFailedError
from midge.exporters import export_tflite
from midge.importers import import_model
from midge.ir.graph import NO_CLAMP, Graph
from midge.ops.fully_connected import FullyConnected
from midge.pipeline import compile_model
from midge.settings import Settings, load_settings
from midge.tune import advisor
from midge.tune.advisor import Advice, advise, to_train
from midge.tune.compress_recipes import NONE, OPTIONS, TRAIN, in_words, settings_of_recipe
from midge.tune.proposals import Budgets, key, plain
from midge.tune.recipe import Measured
from midge.tune.study import sqlite_url
from small_graphs import floats, graph

pytest.importorskip("optuna", reason="pip install 'midge[search]'")
pytest.importorskip("matplotlib", reason="pip install 'midge[search]'")

PLAIN = plain(OPTIONS)
MEASURED = Measured(0.1, 0.0, 90.0, 1000, 800, 500, 10_000, "")


def _advice(folder: Path, budgets: Budgets, **more: Any) -> Advice:
    return Advice(budgets, folder, sqlite_url(folder / "trials.db"), Distil(epochs=1), **more)


def test_only_what_reaches_the_budgets_is_trained_and_only_where_it_must(tmp_path: Path) -> None:
    done = {
        key(PLAIN): MEASURED,
        key({**PLAIN, "prune": "filters 50 %"}): replace(MEASURED, flash_bytes=500, drop=30.0),
        key({**PLAIN, "prune": "filters 70 %"}): replace(MEASURED, flash_bytes=300, drop=60.0),
        key({**PLAIN, "cluster": "16"}): replace(MEASURED, flash_bytes=700, drop=0.5),
        key({**PLAIN, TRAIN: "distil"}): replace(MEASURED, flash_bytes=10),
    }
    chosen = to_train(done, _advice(tmp_path, Budgets(flash_bytes=600, drop=1.0)))
    assert [(r["prune"], r[TRAIN]) for r in chosen] == [("filters 50 %", "distil"), ("filters 70 %", "distil")]
    assert to_train(done, _advice(tmp_path, Budgets(flash_bytes=800, drop=1.0))) == ()
    assert len(to_train(done, _advice(tmp_path, Budgets(flash_bytes=800, drop=1.0), always=True, trainings=2))) == 2


def test_what_was_measured_before_an_interruption_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Mapping[str, str]] = []

    def measure(bench: object, advice: object, recipe: Mapping[str, str]) -> Measured:
        if len(seen) == 3 and recipe not in seen:
            raise KeyboardInterrupt
        seen.append(recipe)
        return replace(MEASURED, flash_bytes=1000 - 10 * len(seen))

    monkeypatch.setattr(advisor, "_measure", measure)
    monkeypatch.setattr(advisor, "study_name", lambda bench: "s")
    bench: Any = SimpleNamespace(settings=Settings())
    advice = _advice(tmp_path, Budgets(drop=inf), trials=5)
    with pytest.raises(KeyboardInterrupt):
        advise(bench, advice)
    before = list(seen)
    monkeypatch.setattr(advisor, "_measure", lambda bench, advice, recipe: seen.append(recipe) or MEASURED)
    found = advise(bench, advice)
    assert [r for r in seen[3:] if r in before] == []
    assert len(found) == 5


def test_a_recipe_is_steps_and_a_width() -> None:
    recipe = {**PLAIN, "prune": "1x4 75 %", "weights": "int4", TRAIN: "distil"}
    made = settings_of_recipe(Settings(), recipe, Distil(epochs=3))
    assert made.compress == (Prune(granularity="1x4", sparsity=0.75), Distil(epochs=3, qat="int4"))
    assert made.weights == "int4"
    assert in_words(recipe) == "prune 1x4 75 %, int4, trained"
    assert in_words(PLAIN) == "int8"
    assert all(values[0] in (NONE, "int8") for values in OPTIONS.values())


def _network() -> Graph:
    draw = np.random.default_rng(3)
    layer = {"inputs": ("x", "w", "b"), "outputs": ("h",), "clamp": (0.0, inf)}
    tensors = [
        floats("x", (1, 16)),
        floats("w", (16, 16), draw.standard_normal((16, 16))),
        floats("b", (16,), draw.standard_normal(16)),
        floats("h", (1, 16)),
        floats("v", (4, 16), draw.standard_normal((4, 16))),
        floats("c", (4,), draw.standard_normal(4)),
        floats("y", (1, 4)),
    ]
    ops = [
        FullyConnected(name="first", **layer),
        FullyConnected(name="second", inputs=("h", "v", "c"), outputs=("y",), clamp=NO_CLAMP),
    ]
    return graph(["x"], ["y"], tensors, ops)


def test_the_command_writes_a_recipe_that_gives_the_same_bits(tmp_path: Path) -> None:
    model, data, folder = tmp_path / "small.tflite", tmp_path / "small.npz", tmp_path / "out"
    model.write_bytes(export_tflite(_network()))
    x = np.random.default_rng(4).standard_normal((60, 16)).astype(np.float32)
    np.savez(data, x=x, y=np.zeros(60, np.int64), split=np.arange(60) % 3)
    arguments = [str(model), "--data", str(data), "--trials", "2", "--max-drop", "100", "--epochs", "1"]
    arguments += ["-o", str(folder)]
    result = CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False)
    facts = json.loads(result.stdout)
    assert facts["split"] == 2
    assert len(facts["tried"]) == 2
    assert facts["chosen"]["flash_bytes"] == min(one["flash_bytes"] for one in facts["tried"])
    assert (folder / "tried.png").read_bytes().startswith(b"\x89PNG")
    imported = import_model(model)
    again = compile_model(imported, load_settings(folder / "midge.toml"), load_data(data, imported.graph))
    assert again.program.hash == facts["chosen"]["hash"]
    assert not import_model(folder / "compressed.tflite").graph.is_float
    with pytest.raises(CheckFailedError, match="keeps to the budgets"):
        CliRunner().invoke(command, [*arguments, "--flash", "10"], catch_exceptions=False, standalone_mode=False)
