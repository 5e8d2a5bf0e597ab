"""The ladder of quantization and its command."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from midge.cli.quantize import command
from midge.data import Dataset, load_data
from midge.errors import CheckFailedError, SettingsError
from midge.importers import import_model
from midge.ir.graph import Graph
from midge.passes import CANONICALIZE, run_passes
from midge.quantize import CalibrationWarning
from midge.settings import Settings, load_settings
from midge.tune.ladder import climb

MODEL = "models/mlperf_tiny_derived/kws_float32_true.tflite"
DATA = "data/kws_mfcc.npz"


@pytest.fixture(scope="module")
def keywords(asset: Callable[[str], Path]) -> tuple[Graph, Dataset]:
    graph = run_passes(import_model(asset(MODEL)).graph, CANONICALIZE)
    return graph, load_data(asset(DATA), graph)


def test_the_climb_stops_where_the_budget_is_met(keywords: tuple[Graph, Dataset]) -> None:
    ascent = climb(*keywords, Settings(calibration_samples=20), max_drop=2.0)
    assert [r.rung for r in ascent.rungs] == ["minmax"]
    assert ascent.score.drop <= 2.0


def test_only_rungs_that_bring_the_outputs_nearer_stay(keywords: tuple[Graph, Dataset]) -> None:
    graph, data = keywords
    few = replace(data, calibrate=data.calibrate[:20])
    ascent = climb(graph, few, Settings(weights="int4"), 0.0, skip=["adaround", "blocks"], to_the_top=True)
    best = ascent.rungs[0].score.error
    for rung in ascent.rungs[1:]:
        assert rung.kept == (rung.score.error < best)
        best = min(best, rung.score.error)
    assert ascent.score.error == best


def test_the_samples_that_are_evaluated_are_never_looked_at(keywords: tuple[Graph, Dataset]) -> None:
    graph, data = keywords
    few = replace(data, calibrate=data.calibrate[:10])
    spoilt = few.x.copy()
    spoilt[few.evaluate] = 127
    seen, unseen = (climb(graph, d, Settings(), 9.0) for d in (few, replace(few, x=spoilt)))
    assert seen.score == unseen.score
    for name, tensor in seen.graph.tensors.items():
        np.testing.assert_array_equal(tensor.data, unseen.graph.tensors[name].data)


def test_skipping_what_is_no_rung_names_those_that_are(keywords: tuple[Graph, Dataset]) -> None:
    with pytest.raises(SettingsError, match="lift") as raised:
        climb(*keywords, Settings(), 0.5, skip=["lift"])
    assert "equalize" in raised.value.hint


def test_the_command_writes_a_model_and_the_recipe_that_makes_it_again(
    asset: Callable[[str], Path], tmp_path: Path
) -> None:
    made, recipe = tmp_path / "kws.tflite", tmp_path / "midge.toml"
    arguments = [str(asset(MODEL)), "--data", str(asset(DATA)), "--max-drop", "3", "--recipe", str(recipe)]
    result = CliRunner().invoke(command, [*arguments, "--json", "-o", str(made)], catch_exceptions=False)
    assert json.loads(result.stdout)["met"]
    assert not import_model(made).graph.is_float
    again = tmp_path / "again.tflite"
    CliRunner().invoke(command, [*arguments, "--settings", str(recipe), "-o", str(again)], catch_exceptions=False)
    assert made.read_bytes() == again.read_bytes()
    assert load_settings(recipe) == Settings()


def test_a_model_that_loses_too_much_is_not_written(asset: Callable[[str], Path], tmp_path: Path) -> None:
    made = tmp_path / "ruin.tflite"
    arguments = [str(asset(MODEL)), "--data", str(asset(DATA)), "--max-drop", "3", "--weights", "binary"]
    skipped = [word for rung in ("ranges", "equalize", "bias", "adaround", "blocks") for word in ("--skip", rung)]
    with pytest.raises(CheckFailedError, match="was not written") as raised:
        CliRunner().invoke(command, [*arguments, *skipped, "-o", str(made)], catch_exceptions=False)
    assert raised.value.exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_data_on_which_float_is_of_no_use_is_said(keywords: tuple[Graph, Dataset]) -> None:
    graph, data = keywords
    assert data.labels is not None
    few = replace(data, calibrate=data.calibrate[:30])
    with pytest.warns(CalibrationWarning, match="check the labels"):
        climb(graph, replace(few, labels=(data.labels + 5) % 12), Settings(), 99.0)
    with pytest.warns(CalibrationWarning, match="one answer for all"):
        climb(graph, replace(few, x=few.x * 0 + few.x[:1]), Settings(), 99.0)


def test_calibration_samples_of_another_range_are_said(keywords: tuple[Graph, Dataset]) -> None:
    graph, data = keywords
    halves = replace(data, calibrate=data.calibrate[:15], tune=data.calibrate[15:30])
    assert halves.quant is not None
    x = data.inputs_for(graph.input_tensors[0]).copy()
    x[halves.tune] /= 256
    with pytest.warns(CalibrationWarning, match="scaled otherwise"):
        climb(graph, replace(halves, x=x, quant=None), Settings(), 99.0)
