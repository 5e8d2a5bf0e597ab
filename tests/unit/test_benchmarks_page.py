"""docs/benchmarks.md is what `make bench` makes of its results, and nothing that was typed in."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BENCHMARKS = REPOSITORY / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("document", "small_cores", "tables"):
        sys.modules.pop(name, None)


def test_the_page_is_made_from_the_recorded_results() -> None:
    from document import document

    results = json.loads((BENCHMARKS / "results.json").read_text(encoding="utf-8"))
    peers = tomllib.loads((BENCHMARKS / "peers.toml").read_text(encoding="utf-8"))
    assert document(results, peers) == (REPOSITORY / "docs" / "benchmarks.md").read_text(encoding="utf-8")


def test_every_recorded_output_is_exact() -> None:
    rows = json.loads((BENCHMARKS / "results.json").read_text(encoding="utf-8"))["rows"]
    assert len({(row["model"], row["core"]) for row in rows}) == 42
    assert [row for row in rows if row["mismatches"] or not row["samples"]] == []


def test_on_avr_every_network_is_exact_four_times_quicker_and_smaller_than_its_peers() -> None:
    rows = json.loads((BENCHMARKS / "avr.json").read_text(encoding="utf-8"))
    nets = tomllib.loads((BENCHMARKS / "peers.toml").read_text(encoding="utf-8"))["avr"]
    assert {row["model"] for row in rows} == set(nets)
    for row in rows:
        peers = nets[row["model"]]["peers"]
        assert row["values"]
        assert not row["mismatches"]
        assert 4 * row["cycles"] <= min(peer["cycles"] for peer in peers)
        assert row["flash_bytes"] < min(peer["flash_bytes"] for peer in peers)
        assert row["ram_bytes"] < min(peer["ram_bytes"] for peer in peers)
