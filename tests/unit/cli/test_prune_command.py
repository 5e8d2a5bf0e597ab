"""`midge prune` as a user meets it: what it writes, the one line about the gain, and errors in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midge.cli import main
from midge.importers import import_model

DIGITS = Path(__file__).resolve().parents[3] / "examples" / "digits"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["midge", "prune", str(DIGITS / "digits.tflite"), *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_half_the_filters_go_and_the_gain_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "small.tflite"
    assert run(monkeypatch, "--granularity", "filters", "--sparsity", 0.5, "-o", target, "--json") == 0
    said = capsys.readouterr()
    facts = json.loads(said.out)
    assert facts["after"]["macs"] <= 0.5 * facts["before"]["macs"]
    assert facts["after"]["cycles"] < facts["before"]["cycles"]
    assert import_model(target).graph.macs == facts["after"]["macs"]
    assert len([line for line in said.err.splitlines() if "on nucleo_l4r5zi" in line]) == 1


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--granularity", "1x4"), "--sparsity"),
        (("--granularity", "2:4", "--sparsity", 0.75), "2:4 is a sparsity of 0.5"),
        (("--sparsity", 1.5), "sparsity"),
        (("--sparsity", 0.5, "--criterion", "activation"), "--data"),
        (("--sparsity", 0.5, "--layer", "nothing"), "no layer nothing"),
        (("--sparsity", 0.5, "--board", "nothing"), "nothing"),
    ],
)
def test_what_is_wrong_is_said_in_words(
    flags: tuple[object, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, *flags, "-o", tmp_path / "out.tflite") == 1
    said = capsys.readouterr().err
    assert says in said
    assert "try:" in said
    assert not (tmp_path / "out.tflite").exists()
