"""`midge train` and `midge distil`, as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midge.cli import main
from midge.importers import import_model

pytest.importorskip("torch", reason='needs PyTorch: pip install "midge[train]"')

DIGITS = Path(__file__).parents[3] / "examples" / "digits"
MODEL, DATA = DIGITS / "digits_mlp.tflite", DIGITS / "digits.npz"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """The exit code of a command."""
    monkeypatch.setattr("sys.argv", ["midge", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_train_writes_a_model_and_says_what_each_epoch_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made.tflite"
    options = ["--qat", "int4", "--epochs", 2, "--layer-width", f"{import_model(MODEL).graph.ops[0].name}=int8"]
    assert run(monkeypatch, "train", MODEL, "--data", DATA, "-o", made, *options, "--json") == 0
    said = capsys.readouterr()
    facts = json.loads(said.out)
    assert len(facts["epochs"]) == 3
    assert "modelled cycles) on nucleo_l4r5zi" in said.err or "gains nothing on nucleo_l4r5zi" in said.err
    assert not import_model(made).graph.is_float


def test_distil_takes_a_teacher_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "made.tflite"
    teacher = DIGITS / "digits.tflite"
    assert run(monkeypatch, "distil", MODEL, "--teacher", teacher, "--data", DATA, "--epochs", 1, "-o", made) == 0
    assert import_model(made).graph.input_tensors


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "needs data"),
        (["--data", DATA, "--layer-width", "a=int3"], "NAME=WIDTH"),
        (["--data", DATA, "--layer-width", "nonsense=int4", "--qat", "int4"], "nonsense"),
    ],
)
def test_a_mistake_is_said_in_words(
    options: list[object],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, "train", MODEL, "-o", tmp_path / "made.tflite", *options) == 1
    assert says in capsys.readouterr().err
