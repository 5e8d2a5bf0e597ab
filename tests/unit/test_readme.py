"""README.md shows the figures that are recorded, and the commands that it names are there."""

from __future__ import annotations

import importlib
import json
import re
import tomllib
from pathlib import Path

import click
import pytest

from midge.cli import cli

REPOSITORY = Path(__file__).resolve().parents[2]
BENCHMARKS = REPOSITORY / "benchmarks"
PAGES = (
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "examples/digits/README.md")),
    *sorted((REPOSITORY / "docs").glob("*.md")),
)
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
# midge and its flags, as a line of a code block shows them; what stands behind two spaces explains.
LINE = re.compile(r"^ *(?:\$ |- run: +)?midge ([a-z]+)((?: \S+)*)", re.MULTILINE)


def test_its_table_is_made_from_the_recorded_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    readme = importlib.import_module("readme")
    results = json.loads((BENCHMARKS / "results.json").read_text(encoding="utf-8"))
    peers = tomllib.loads((BENCHMARKS / "peers.toml").read_text(encoding="utf-8"))
    assert readme.replaced(README, "performance", readme.performance(results, peers)) == README


@pytest.mark.long
def test_it_shows_what_the_demo_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    readme = importlib.import_module("readme")
    assert readme.replaced(README, "demo", readme.demo()) == README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_flags_of_a_page_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for name, rest in LINE.findall(block):
            command = cli.get_command(click.Context(cli), name)
            assert command is not None, f"midge {name}"
            known = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
            used = set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", rest))
            assert used <= known | {"--help"}, f"midge {name}{rest}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8")):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_files_that_pages_name_are_there() -> None:
    for page in PAGES:
        for name in re.findall(
            r"`((?:host|tests|benchmarks|boards|templates|firmware|docs)/[\w./-]+)`", page.read_text()
        ):
            assert (REPOSITORY / name).exists(), f"{page.name}: {name}"
