"""Objects of midge's own C: compiled once, found by all that they are made of, and missed where nothing can be kept."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from compilers import needed_toolchain
from midge.boards import load_board
from midge.build import toolchain as module
from midge.build.objects import fetch, keep, object_key
from midge.build.toolchain import compile_firmware

BOARD = load_board("cortex-m4f")
SOURCES = {"main.c": "int main(void) { return 0; }\n", "model.c": "int midge_t;\n"}


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The sources that the compiler has been given, with a cache of one's own."""
    monkeypatch.setenv("MIDGE_CACHE_DIR", str(tmp_path / "cache"))
    run, seen = subprocess.run, []

    def watched(command: list[str], **options: Any) -> Any:
        if "-c" in command:
            seen.append(command[command.index("-c") + 1])
        return run(command, **options)

    monkeypatch.setattr(module.subprocess, "run", watched)
    return seen


def build(folder: Path, **options: Any) -> bytes:
    toolchain = needed_toolchain(BOARD.core)
    compile_firmware(SOURCES, BOARD, toolchain, folder, **options)
    return (folder / "firmware.elf").read_bytes()


def test_a_second_build_compiles_only_what_was_given(compiled: list[str], tmp_path: Path) -> None:
    first = build(tmp_path / "first")
    assert {"link/crc.c", "main.c", "model/model.c"} <= set(compiled)
    frames = {file.name for file in (tmp_path / "first").rglob("*.su")}
    compiled.clear()
    assert build(tmp_path / "second") == first
    assert sorted(compiled) == ["main.c", "model/model.c"]
    assert {file.name for file in (tmp_path / "second").rglob("*.su")} == frames


def test_other_definitions_are_other_objects(compiled: list[str], tmp_path: Path) -> None:
    build(tmp_path / "first")
    compiled.clear()
    build(tmp_path / "second", defines={"MIDGE_LINK_MAX_PAYLOAD": "100"})
    assert "link/protocol.c" in compiled


def test_a_key_is_of_everything_that_goes_in(tmp_path: Path) -> None:
    source, header = tmp_path / "a.c", tmp_path / "a.h"
    source.write_text("int a;\n")
    header.write_text("")
    key = object_key("1", ["cc"], (source, header))
    assert key == object_key("1", ["cc"], (source, header))
    others = {object_key("2", ["cc"], (source, header)), object_key("1", ["cc", "-g"], (source, header))}
    header.write_text("\n")
    others.add(object_key("1", ["cc"], (source, header)))
    source.write_text("int b;\n")
    others.add(object_key("1", ["cc"], (source, header)))
    assert len(others - {key}) == 4


def test_where_nothing_can_be_kept_nothing_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "objects").write_text("in the way")
    monkeypatch.setenv("MIDGE_CACHE_DIR", str(tmp_path / "cache"))
    made = tmp_path / "a.o"
    made.write_bytes(b"object")
    keep("key", made)
    assert not fetch("key", tmp_path / "b.o")
    assert not (tmp_path / "b.o").exists()
