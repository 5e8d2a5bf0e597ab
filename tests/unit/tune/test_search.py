"""The search for widths: its programme, its proposals, its study, and its command."""

from __future__ import annotations

import itertools
import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import astuple, replace
from math import inf
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from midge.cli.search import command
from midge.data import load_data
from midge.errors import CheckFailedError, MissingExtraError, SettingsError
from midge.exporters import export_tflite
from midge.importers import import_model
from midge.ir.graph import NO_CLAMP, Graph
from midge.ops.fully_connected import FullyConnected
from midge.ops.softmax import Softmax
from midge.pipeline import compile_model
from midge.progress import silent
from midge.quantize.model import quantize_with
from midge.settings import Settings, load_settings
from midge.tune.programme import Choice, best_sets
from midge.tune.proposals import Budgets, key, next_recipe, plain, single_changes, spread
from midge.tune.recipe import Measured, set_up, settings_of
from midge.tune.search import Found, best, front
from midge.tune.study import Study, sqlite_url
from small_graphs import floats, graph

pytest.importorskip("optuna", reason="pip install 'midge[search]'")
pytest.importorskip("matplotlib", reason="pip install 'midge[search]'")

OPTIONS = {"weights.a": ("int8", "int4", "int2"), "activations.b": ("int8", "int16")}
MEASURED = Measured(0.1, 0.0, 90.0, 1000, 800, 500, 10_000, "")
_CHOICE = st.builds(Choice, st.integers(0, 9).map(float), st.tuples(*[st.integers(0, 9).map(float)] * 2))


@given(
    layers=st.lists(st.lists(_CHOICE, min_size=1, max_size=3), min_size=1, max_size=5),
    budgets=st.tuples(st.integers(5, 40), st.integers(5, 40)),
)
@settings(max_examples=60, deadline=None)
def test_the_programme_finds_what_trying_everything_finds(
    layers: list[list[Choice]], budgets: tuple[float, float]
) -> None:
    sums = []
    for picks in itertools.product(*layers):
        flash, cycles = (sum(c.costs[i] for c in picks) for i in (0, 1))
        if flash <= budgets[0] and cycles <= budgets[1]:
            sums.append((sum(c.error for c in picks), flash, cycles))
    undominated = {a for a in sums if not any(all(x <= y for x, y in zip(b, a)) and b != a for b in sums)}
    found = best_sets(layers, budgets)
    assert {(f.error, *f.costs) for f in found} == undominated
    for f in found:
        assert sum(layer[pick].error for layer, pick in zip(layers, f.picks)) == f.error


def test_proposals_begin_with_each_change_alone_and_end_when_nothing_is_left() -> None:
    done = {}
    tried = []
    while (recipe := next_recipe(OPTIONS, done, set(done), Budgets())) is not None:
        tried.append(recipe)
        narrow = sum({"int8": 0, "int4": 1, "int16": 1, "int2": 3}[v] for v in recipe.values())
        done[key(recipe)] = replace(MEASURED, error=0.1 + narrow, flash_bytes=1000 - 100 * narrow)
    assert tried[0] == plain(OPTIONS)
    assert tried[1:4] == single_changes(OPTIONS)
    assert len(tried) == len({key(r) for r in tried})
    assert {"weights.a": "int2", "activations.b": "int16"} in tried


def test_a_flash_budget_leaves_out_recipes_that_are_foreseen_to_break_it() -> None:
    done = {
        key(r): replace(MEASURED, error=0.1 + i, flash_bytes=1000 - 100 * i)
        for i, r in enumerate([plain(OPTIONS), *single_changes(OPTIONS)])
    }
    # int4 and int2 of a save 100 and 200, int16 of b saves 300: only both narrow keep to 500.
    proposed = next_recipe(OPTIONS, done, set(done), Budgets(flash_bytes=500))
    assert proposed == {"weights.a": "int2", "activations.b": "int16"}


@given(st.integers(0, 200))
def test_spread_visits_every_index_once(count: int) -> None:
    assert sorted(spread(count)) == list(range(count))


def test_the_front_holds_what_nothing_beats_and_the_best_keeps_to_the_budgets() -> None:
    made = [(0.1, 1000, 0.0), (0.2, 800, 0.5), (0.3, 900, 0.5), (0.9, 500, 8.0)]
    found = tuple(
        Found({"n": str(i)}, replace(MEASURED, error=e, flash_bytes=f, drop=d)) for i, (e, f, d) in enumerate(made)
    )
    assert [f.recipe["n"] for f in front(found)] == ["0", "1", "3"]
    chosen = best(found, Budgets(flash_bytes=900, drop=1.0), "accuracy")
    smallest = best(found, Budgets(drop=1.0), "flash")
    assert (chosen and chosen.recipe["n"], smallest and smallest.recipe["n"]) == ("1", "1")
    assert best(found, Budgets(flash_bytes=100), "accuracy") is None


_KILLED = """
import os, signal, sys, time
from midge.tune import study
from midge.tune.recipe import Measured, set_up, settings_of
study._HEARTBEAT_SECONDS, study._STALE_SECONDS = 1, 2
options, first, second = eval(sys.argv[2])
s = study.Study(sys.argv[1], "s")
s.run(options, first, lambda recipe: Measured(*eval(sys.argv[3])))
s.run(options, second, lambda recipe: (time.sleep(1.5), os.kill(os.getpid(), signal.SIGKILL)))
"""


def test_a_study_survives_a_kill_and_does_the_trial_under_way_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = sqlite_url(tmp_path / "trials.db")
    first, second, *_ = plain(OPTIONS), *single_changes(OPTIONS)
    arguments = [url, repr((OPTIONS, first, second)), repr(astuple(MEASURED))]
    killed = subprocess.run([sys.executable, "-c", _KILLED, *arguments], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    monkeypatch.setattr("midge.tune.study._HEARTBEAT_SECONDS", 1)
    monkeypatch.setattr("midge.tune.study._STALE_SECONDS", 2)
    study = Study(url, "s")
    known = study.trials()
    assert dict(known.done) == {key(plain(OPTIONS)): MEASURED}
    assert key(second) in known.taken
    time.sleep(2.5)
    study.run(OPTIONS, single_changes(OPTIONS)[1], lambda recipe: MEASURED)
    again = next_recipe(OPTIONS, study.trials().done, study.trials().taken, Budgets())
    assert again == second


def test_two_machines_join_one_study(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "trials.db")
    one, other = Study(url, "s"), Study(url, "s")
    one.run(OPTIONS, plain(OPTIONS), lambda recipe: MEASURED)
    other.run(OPTIONS, single_changes(OPTIONS)[0], lambda recipe: replace(MEASURED, cycles=5))
    assert one.trials().done == other.trials().done
    assert one.trials().finished == 2


def test_a_recipe_that_is_refused_is_not_tried_again(tmp_path: Path) -> None:
    def refuse(recipe: Mapping[str, str]) -> Measured:
        raise SettingsError("this cannot be")

    study = Study(sqlite_url(tmp_path / "trials.db"), "s")
    study.run(OPTIONS, plain(OPTIONS), refuse)
    assert dict(study.trials().refused) == {key(plain(OPTIONS)): "this cannot be"}
    assert next_recipe(OPTIONS, {}, study.trials().taken, Budgets()) == single_changes(OPTIONS)[0]


def test_a_storage_that_is_none_is_an_error_in_words() -> None:
    with pytest.raises(SettingsError, match="cannot be opened"):
        Study("nonsense", "s")


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match="Optuna") as error:
        Study("sqlite://", "s")
    assert "midge[search]" in error.value.hint


def _two_layers() -> Graph:
    draw = np.random.default_rng(3)
    layers = [
        FullyConnected(name=n, inputs=(x, f"w{n}", f"b{n}"), outputs=(y,), clamp=clamp)
        for n, x, y, clamp in (("a", "x", "h", (0.0, inf)), ("b", "h", "z", NO_CLAMP))
    ]
    tensors = [
        floats("x", (1, 8)),
        floats("wa", (12, 8), draw.standard_normal((12, 8))),
        floats("ba", (12,), draw.standard_normal(12)),
        floats("h", (1, 12)),
        floats("wb", (4, 12), draw.standard_normal((4, 12))),
        floats("bb", (4,), draw.standard_normal(4)),
        floats("z", (1, 4)),
        floats("y", (1, 4)),
    ]
    return graph(["x"], ["y"], tensors, [*layers, Softmax(name="s", inputs=("z",), outputs=("y",), beta=1.0)])


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small float model and data for it."""
    folder = tmp_path_factory.mktemp("search")
    model, data = folder / "small.tflite", folder / "small.npz"
    model.write_bytes(export_tflite(_two_layers()))
    x = np.random.default_rng(4).standard_normal((60, 8)).astype(np.float32)
    np.savez(data, x=x, y=np.zeros(60, np.int64), split=np.arange(60) % 3)
    return model, data


def test_the_command_writes_a_recipe_that_gives_the_same_bits(job: tuple[Path, Path], tmp_path: Path) -> None:
    model, data = job
    folder = tmp_path / "found"
    arguments = [
        str(model),
        "--data",
        str(data),
        "--trials",
        "2",
        "--jobs",
        "1",
        "--max-drop",
        "100",
        "-o",
        str(folder),
    ]
    result = CliRunner().invoke(command, [*arguments, "--prefer", "flash", "--json"], catch_exceptions=False)
    facts = json.loads(result.stdout)
    assert facts["split"] == 2
    assert facts["trials"] == 2
    assert (folder / "front.png").read_bytes().startswith(b"\x89PNG")
    imported = import_model(model)
    again = compile_model(imported, load_settings(folder / "midge.toml"), load_data(data, imported.graph))
    assert again.program.hash == facts["chosen"]["hash"]
    with pytest.raises(CheckFailedError, match=r"none of 2 recipes .* bytes of flash"):
        CliRunner().invoke(command, [*arguments, "--flash", "10"], catch_exceptions=False, standalone_mode=False)


def test_nothing_depends_on_the_samples_of_split_0(job: tuple[Path, Path]) -> None:
    model, path = job
    imported = import_model(model)
    data = load_data(path, imported.graph)
    spoilt = data.x.copy()
    spoilt[data.evaluate] = 1e3
    benches = [set_up(imported, d, Settings(), silent) for d in (data, replace(data, x=spoilt))]
    made = [quantize_with(b.canonical, b.settings, b.samples) for b in benches]
    assert [b.yardstick.score(m) for b, m in zip(benches, made)] == [benches[0].yardstick.score(made[0])] * 2
    assert made[0].tensors["y"].quant == made[1].tensors["y"].quant


def test_a_recipe_sets_the_widths_that_differ_from_where_it_starts() -> None:
    base = Settings(weights="int4", layers={"a": "int8"})
    recipe = {"weights.a": "int2", "weights.b": "int4", "activations.a": "int16", "activations.b": "int8"}
    made = settings_of(base, recipe)
    assert (made.layers, made.activations) == ({"a": "int2"}, {"a": "int16"})


@pytest.mark.parametrize(("flag", "text"), [("--flash", "64X"), ("--latency", "50"), ("--ram", "-1")])
def test_a_budget_without_sense_is_refused_in_words(job: tuple[Path, Path], flag: str, text: str) -> None:
    model, data = job
    with pytest.raises(SettingsError, match="not a number with a unit"):
        arguments = [str(model), "--data", str(data), flag, text]
        CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)


@pytest.mark.long
def test_a_killed_command_goes_on_where_it_was(job: tuple[Path, Path], tmp_path: Path) -> None:
    model, data = job
    command_line = [
        sys.executable,
        "-c",
        "from midge.cli import main; main()",
        "search",
        str(model),
        "--data",
        str(data),
    ]
    command_line += ["--jobs", "2", "--max-drop", "100", "-o", str(tmp_path), "--json", "--trials"]
    for number, goal in ((signal.SIGKILL, 3), (signal.SIGINT, 6)):
        running = subprocess.Popen([*command_line, "30"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 200
        while _finished(tmp_path) < goal and time.monotonic() < deadline:
            time.sleep(0.2)
        running.send_signal(number)
        _, said = running.communicate(timeout=60)
        assert b"Traceback" not in said
        assert running.returncode == (-signal.SIGKILL if number is signal.SIGKILL else 130)
    before = _finished(tmp_path)
    done = subprocess.run([*command_line, str(before + 2)], capture_output=True, check=True)
    assert json.loads(done.stdout)["trials"] >= before + 2


@pytest.mark.long
def test_two_commands_with_addresses_of_their_own_share_one_study(job: tuple[Path, Path], tmp_path: Path) -> None:
    """Two processes in folders of their own, one of them by another name of the database's folder."""
    model, data = job
    (tmp_path / "shared").mkdir()
    (tmp_path / "mounted").symlink_to(tmp_path / "shared")
    running = []
    for name in ("shared", "mounted"):
        command_line = [sys.executable, "-c", "from midge.cli import main; main()", "search", str(model)]
        command_line += ["--data", str(data), "--jobs", "1", "--trials", "10", "--max-drop", "100", "--json"]
        command_line += ["-o", str(tmp_path / f"from_{name}"), "--storage", sqlite_url(tmp_path / name / "trials.db")]
        running.append(subprocess.Popen(command_line, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    ended = [(process.communicate(timeout=300), process.returncode) for process in running]
    assert [code for _, code in ended] == [0, 0], ended
    (name,) = {found for (_, said), _ in ended for found in re.findall(r"study (\S+) in sqlite", said.decode())}
    trials = Study(sqlite_url(tmp_path / "shared" / "trials.db"), name).trials()
    # Both began at once: what one was measuring the other may have measured too, with the same result.
    assert 10 <= trials.finished <= 12
    for (facts, _), _ in ended:
        measured = {key(found["recipe"]): found["hash"] for found in json.loads(facts)["front"]}
        assert measured == {recipe: trials.done[recipe].hash for recipe in measured}


def _finished(folder: Path) -> int:
    """How many trials the study in `folder` has measured."""
    try:
        with sqlite3.connect(f"file:{folder / 'trials.db'}?mode=ro", uri=True) as database:
            return int(database.execute("select count(*) from trials where state = 'COMPLETE'").fetchone()[0])
    except sqlite3.Error:
        return 0
