"""Where the files of a firmware go, and which of them count as the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from midge.boards import load_board
from midge.build.firmware import write_sources
from midge.errors import InternalError

BOARD = load_board("nucleo_l4r5zi")


def test_bare_names_are_the_model_and_the_rest_is_the_harness(tmp_path: Path) -> None:
    sources = {"model.c": "m", "weights.c": "w", "model.h": "h", "app.c": "a", "extra/x.c": "x"}
    tree = write_sources(sources, BOARD, tmp_path, 1024)
    assert tree.model == {"model/model.c", "model/weights.c", "model/model.h"}
    assert (tree.folder / "model" / "model.h").read_text() == "h"
    assert (tree.folder / "app.c").read_text() == "a"
    assert {tree.objects[f"model/{name}.c"] for name in ("model", "weights")} == {"net_model.o", "net_weights.o"}
    harness = {file for file in tree.objects if file not in tree.model}
    assert {"main.c", "app.c", "extra/x.c", "port/cortex_m/start.c", "port/page/port.c"} <= harness
    assert not any(tree.objects[file].startswith("net_") for file in harness)


def test_a_main_of_ones_own_takes_the_place_of_ours(tmp_path: Path) -> None:
    tree = write_sources({"main.c": "mine"}, BOARD, tmp_path, 1024)
    assert (tree.folder / "main.c").read_text() == "mine"


def test_nothing_is_left_of_an_earlier_build(tmp_path: Path) -> None:
    write_sources({"old.c": ""}, BOARD, tmp_path, 1024)
    assert "model/old.c" not in write_sources({"new.c": ""}, BOARD, tmp_path, 1024).objects


def test_the_linker_script_has_the_board_s_memories(tmp_path: Path) -> None:
    tree = write_sources({}, BOARD, tmp_path, 1024)
    script = (tree.folder / "link.ld").read_text()
    assert "$" not in script
    assert "ORIGIN = 0x8000000, LENGTH = 2097152" in script
    assert "ORIGIN = 0x20000000, LENGTH = 655360" in script


@pytest.mark.parametrize("name", ["../outside.c", "/etc/outside.c", "a/../../outside.c"])
def test_a_generated_file_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InternalError):
        write_sources({name: ""}, BOARD, tmp_path, 1024)
