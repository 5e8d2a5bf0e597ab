"""The commands that compress: what they write is a .tflite that holds what was asked for, and refusals are words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from compressible import dataset, network
from midge.cli import main
from midge.compress.cluster import distinct
from midge.compress.weighted import find_weights
from midge.exporters import export_tflite
from midge.importers import import_model

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def midge(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command in this process: exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["midge", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture(autouse=True)
def no_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is gained on the emulated core has tests of its own, and takes seconds."""
    monkeypatch.setattr("midge.cli.compressing.gained_on_board", lambda *_: None)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The small network as a .tflite."""
    path = tmp_path / "small.tflite"
    path.write_bytes(export_tflite(network()))
    return path


def test_cluster_writes_a_model_of_few_values(midge: Run, model: Path, tmp_path: Path) -> None:
    dataset(tmp_path / "d.npz", network())
    made = tmp_path / "made.tflite"
    code, out, _ = midge("cluster", model, "--values", 5, "--data", tmp_path / "d.npz", "-o", made, "--json")
    assert code == 0
    facts = json.loads(out)
    assert facts["after"]["macs"] == facts["before"]["macs"]
    after = import_model(made).graph
    assert all(distinct(w) <= 5 for w in find_weights(after))


def test_a_second_time_there_is_nothing_to_cluster_and_that_is_said(midge: Run, model: Path, tmp_path: Path) -> None:
    once, twice = tmp_path / "once.tflite", tmp_path / "twice.tflite"
    assert midge("cluster", model, "--values", 4, "-o", once)[0] == 0
    code, _, said = midge("cluster", once, "--values", 4, "-o", twice)
    assert code == 0
    assert "nothing to cluster" in said


def test_an_unknown_layer_is_refused_and_nothing_is_written(midge: Run, model: Path, tmp_path: Path) -> None:
    code, _, said = midge("cluster", model, "--layer", "nowhere", "-o", tmp_path / "made.tflite")
    assert code == 1
    assert "nowhere" in said
    assert not (tmp_path / "made.tflite").exists()


def test_factor_writes_a_model_of_fewer_macs(midge: Run, model: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.tflite"
    code, out, _ = midge("factor", model, "--energy", 0.6, "--form", "svd", "-o", made, "--json")
    assert code == 0
    facts = json.loads(out)
    assert facts["after"]["macs"] < facts["before"]["macs"]
    assert import_model(made).graph.macs == facts["after"]["macs"]


@pytest.mark.parametrize(("flag", "value"), [("--energy", 1.5), ("--rank", 0)])
def test_a_rank_or_energy_that_is_none_is_refused(
    midge: Run, model: Path, tmp_path: Path, flag: str, value: float
) -> None:
    code, _, said = midge("factor", model, flag, value, "-o", tmp_path / "made.tflite")
    assert code == 1
    assert flag[2:] in said


def test_share_says_when_no_two_layers_are_alike(midge: Run, model: Path, tmp_path: Path) -> None:
    code, _, said = midge("share", model, "-o", tmp_path / "made.tflite")
    assert code == 0
    assert "nothing to share" in said


def test_scale_writes_a_narrower_model(midge: Run, model: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.tflite"
    code, out, _ = midge("scale", model, "--width", 0.5, "-o", made, "--json")
    assert code == 0
    assert json.loads(out)["after"]["macs"] < 0.5 * json.loads(out)["before"]["macs"]
    assert import_model(made).graph.macs == json.loads(out)["after"]["macs"]
