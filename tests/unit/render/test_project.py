"""The generated PlatformIO project: stock names, the model as a library of its own, nothing missing."""

from __future__ import annotations

import configparser
import json
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from midge.boards import list_boards, load_board
from midge.errors import BoardError
from midge.importers import import_model
from midge.lower.program import ConstantArray, Program
from midge.pipeline import Compiled, compile_model
from midge.render.project import build_flags, render_project
from midge.settings import Settings, Spoken

DIGITS = Path(__file__).parents[3] / "examples" / "digits" / "digits.tflite"
BOUGHT = [name for name in list_boards() if load_board(name).platformio is not None]
_INCLUDE = re.compile(r'#include "([^"]+)"')


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    """The digits of the examples."""
    return compile_model(import_model(DIGITS), Settings(board="mega2560", precision="as-is"))


def _project(compiled: Compiled, board: str) -> dict[str, str]:
    return dict(render_project(compiled.program, compiled.sources, load_board(board), Settings(board=board)))


@pytest.mark.parametrize("name", BOUGHT)
def test_every_board_gets_a_project_with_its_names(name: str, compiled: Compiled) -> None:
    board, files = load_board(name), _project(compiled, name)
    ini = configparser.ConfigParser(inline_comment_prefixes=None)
    ini.read_string(files["platformio.ini"])
    section = ini[f"env:{name}"]
    assert (section["platform"], section["board"]) == (board.build.platform, board.build.board)
    assert section["framework"] == "arduino"
    assert f"-DMIDGE_PORT_SPEED={board.line.speed}" in section["build_flags"].split()


@pytest.mark.parametrize("protocol", ["midge", "mlperf-tiny"])
def test_every_file_that_is_included_is_there(protocol: Spoken, compiled: Compiled) -> None:
    settings = Settings(board="mega2560", protocol=protocol)
    files = dict(render_project(compiled.program, compiled.sources, compiled.board, settings))
    prefix = compiled.program.prefix
    roots = ("src", f"lib/{prefix}/src")
    for name, text in files.items():
        for included in _INCLUDE.findall(text):
            beside = str(PurePosixPath(name).parent / included)
            assert beside in files or any(f"{root}/{included}" in files for root in roots), f"{name}: {included}"


def test_the_library_is_one_for_three_builders(compiled: Compiled) -> None:
    files, prefix = _project(compiled, "mega2560"), compiled.program.prefix
    manifest = json.loads(files[f"lib/{prefix}/library.json"])
    assert (manifest["name"], manifest["headers"]) == (prefix, f"{prefix}.h")
    properties = dict(line.split("=", 1) for line in files[f"lib/{prefix}/library.properties"].splitlines())
    assert (properties["name"], properties["includes"], properties["architectures"]) == (prefix, f"{prefix}.h", "*")
    assert "idf_component_register" in files[f"lib/{prefix}/CMakeLists.txt"]
    sketch = files[f"lib/{prefix}/examples/{prefix}/{prefix}.ino"]
    assert f"#include <{prefix}.h>" in sketch
    assert f"{prefix}_run();" in sketch
    assert "midge_link" not in sketch
    assert f"{prefix}_run();" in files[f"lib/{prefix}/examples/esp_idf/main/main.c"]


def test_the_same_model_gives_the_same_project(compiled: Compiled) -> None:
    assert _project(compiled, "uno") == _project(compiled, "uno")


def test_constants_beyond_16_bit_pointers_are_read_with_longer_ones(compiled: Compiled) -> None:
    mega = load_board("mega2560")
    large = ConstantArray("midge_large", "int8_t", np.zeros(60_000, np.int8), "large")
    program: Program = replace(compiled.program, constants=(large,))
    assert "-DMIDGE_FLASH=__memx" in build_flags(program, mega)
    assert "-DMIDGE_FLASH=__memx" not in build_flags(compiled.program, mega)
    assert "-DMIDGE_FLASH=__memx" not in build_flags(program, load_board("due"))


def test_a_board_that_exists_only_emulated_has_no_project(compiled: Compiled) -> None:
    with pytest.raises(BoardError, match="only emulated"):
        _project(compiled, "cortex-m4f")
