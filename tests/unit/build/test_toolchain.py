"""Compilers: found, forced, missing, and what becomes of their complaints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from compilers import needed_toolchain
from midge.boards import load_board
from midge.build import toolchain as module
from midge.build.toolchain import (
    Toolchain,
    compile_firmware,
    find_host_compiler,
    find_toolchain,
    toolchain_report,
)
from midge.errors import DoesNotFitError, MissingExtraError, SettingsError, ToolchainError

BOARD = load_board("nucleo_l4r5zi")
MAIN = "void midge_t_run(void);\nint main(void) { for (;;) { midge_t_run(); } }\n"
MODEL = """
#include "model.h"
static const uint8_t weights[100] = {1, 2, 3};
static int calls = 3;
uint8_t midge_t_arena[1000];
void midge_t_run(void) { for (int i = 0; i < 1000; i++) { midge_t_arena[i] += weights[i % 100] * (uint8_t)calls++; } }
"""
SOURCES = {"main.c": MAIN, "model.c": MODEL, "model.h": "#include <stdint.h>\nvoid midge_t_run(void);\n"}


@pytest.fixture(params=["gcc", "zig"])
def toolchain(request: pytest.FixtureRequest) -> Toolchain:
    """Each compiler for the Cortex-M4F that is there."""
    return needed_toolchain(BOARD.core, request.param)


@pytest.fixture
def bare_computer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither a compiler on the PATH nor the ziglang package."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("MIDGE_TOOLCHAIN", raising=False)
    monkeypatch.delenv("MIDGE_HOST_COMPILER", raising=False)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    for cached in (module._cross_gcc, module._zig, module._on_path):
        cached.cache_clear()
    yield
    for cached in (module._cross_gcc, module._zig, module._on_path):
        cached.cache_clear()


def test_a_toolchain_knows_its_version_and_flags(toolchain: Toolchain) -> None:
    assert any(character.isdigit() for character in toolchain.version)
    assert any("cortex" in flag for flag in toolchain.flags)


def test_a_toolchain_can_be_forced_by_the_environment(toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDGE_TOOLCHAIN", "zig" if toolchain.name == "zig" else "gcc")
    assert find_toolchain(BOARD.core) == toolchain


def test_the_report_names_a_compiler_for_the_host_and_each_core() -> None:
    rows = toolchain_report((BOARD.core,))
    assert [row[0] for row in rows] == ["host", "cortex-m4f"]
    assert rows[0][1] == find_host_compiler().name


def test_without_any_compiler_the_error_names_the_pip_command(bare_computer: None) -> None:
    for find in (lambda: find_toolchain(BOARD.core), find_host_compiler):
        with pytest.raises(MissingExtraError, match="pip install"):
            find()
    assert [row[1] for row in toolchain_report((BOARD.core,))] == ["", ""]


def test_a_compiler_that_was_asked_for_and_is_not_there_is_an_error(bare_computer: None) -> None:
    for find in (
        lambda: find_toolchain(BOARD.core, "gcc"),
        lambda: find_toolchain(BOARD.core, "armcc"),
        lambda: find_host_compiler("tcc"),
    ):
        with pytest.raises(ToolchainError):
            find()


def test_every_byte_of_flash_and_ram_is_accounted_for(toolchain: Toolchain, tmp_path: Path) -> None:
    image = compile_firmware(SOURCES, BOARD, toolchain, tmp_path)
    flash, ram = image.flash, image.ram
    assert flash.code_bytes + flash.const_bytes + flash.harness_bytes == flash.total_bytes
    assert flash.code_bytes >= image.symbol("midge_t_run").bytes > 0
    # The weights, and the start value of `calls`.
    assert flash.const_bytes == 100 + 4
    assert flash.harness_bytes >= 16 * 4
    assert ram.model_bytes + ram.harness_bytes + ram.stack_bytes == ram.total_bytes
    assert ram.model_bytes == 1000 + 4
    assert ram.stack_bytes == module.DEFAULT_STACK_BYTES


def test_a_build_is_reproducible(toolchain: Toolchain, tmp_path: Path) -> None:
    first = compile_firmware(SOURCES, BOARD, toolchain, tmp_path / "first")
    second = compile_firmware(SOURCES, BOARD, toolchain, tmp_path / "second")
    again = compile_firmware(SOURCES, BOARD, toolchain, tmp_path / "first")
    assert first.segments == second.segments == again.segments


def test_optimizing_for_size_is_another_flag_for_the_model(toolchain: Toolchain, tmp_path: Path) -> None:
    image = compile_firmware(SOURCES, BOARD, toolchain, tmp_path, optimize="size")
    assert (image.compiler, image.version) == (toolchain.name, toolchain.version)
    assert "-Os" in image.flags


def test_a_definition_reaches_the_sources(toolchain: Toolchain, tmp_path: Path) -> None:
    guarded = {**SOURCES, "model.h": SOURCES["model.h"] + "#if THREE != 3\n#error no three\n#endif\n"}
    compile_firmware(guarded, BOARD, toolchain, tmp_path, defines={"THREE": "3"})
    with pytest.raises(ToolchainError, match="no three"):
        compile_firmware(guarded, BOARD, toolchain, tmp_path, defines={"THREE": "4"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model.c": MODEL + "int unfinished("}, "model.c"),
        ({"model.c": MODEL + "static int unused;"}, "unused"),
        ({"main.c": "void midge_t_other(void);\nint main(void) { midge_t_other(); }"}, "midge_t_other"),
    ],
)
def test_what_the_compiler_refuses_is_an_error_with_its_words(
    toolchain: Toolchain, tmp_path: Path, change: dict[str, str], message: str
) -> None:
    with pytest.raises(ToolchainError, match=message):
        compile_firmware({**SOURCES, **change}, BOARD, toolchain, tmp_path)


@pytest.mark.parametrize("memory", ["flash_bytes", "ram_bytes"])
def test_a_firmware_too_large_for_the_board_does_not_fit(toolchain: Toolchain, tmp_path: Path, memory: str) -> None:
    large = {
        "flash_bytes": "const uint8_t midge_t_more[3000000] = {1};\n",
        "ram_bytes": "uint8_t midge_t_more[700000];\n",
    }[memory]
    run = "void midge_t_run(void) { midge_t_arena[0] = midge_t_more[midge_t_arena[1]]; }"
    source = '#include "model.h"\nuint8_t midge_t_arena[9];\n' + large + run
    with pytest.raises(DoesNotFitError, match="nucleo_l4r5zi"):
        compile_firmware({**SOURCES, "model.c": source}, BOARD, toolchain, tmp_path)


def test_a_stack_that_cannot_be_is_refused(tmp_path: Path) -> None:
    nothing = Toolchain("none", "gcc", ("false",), "0")
    for size in (0, 255, 1001):
        with pytest.raises(SettingsError):
            compile_firmware(SOURCES, BOARD, nothing, tmp_path, stack_bytes=size)


def test_a_compiler_that_is_gone_is_an_error_in_words(tmp_path: Path) -> None:
    gone = Toolchain("gone", "gcc", (str(tmp_path / "no-such-compiler"),), "0")
    with pytest.raises(ToolchainError, match="gone could not be started"):
        compile_firmware(SOURCES, BOARD, gone, tmp_path / "out")


def test_boards_with_other_memory_maps_link_too(toolchain: Toolchain, tmp_path: Path) -> None:
    moved = msgspec.structs.replace(BOARD, memory=msgspec.structs.replace(BOARD.memory, flash_address=0))
    image = compile_firmware(SOURCES, moved, toolchain, tmp_path)
    assert image.segments[0].address == 0


def test_a_compiler_that_platformio_has_fetched_is_taken_where_the_path_has_none(
    bare_computer: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = load_board("uno").core
    with pytest.raises(ToolchainError, match="avr-gcc with a C library is not installed"):
        find_toolchain(core)
    module._cross_gcc.cache_clear()
    compiler = tmp_path / "packages" / "toolchain-atmelavr" / "bin" / "avr-gcc"
    compiler.parent.mkdir(parents=True)
    compiler.write_text("#!/bin/sh\necho avr-gcc 7.3.0\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path))
    found = find_toolchain(core)
    assert (found.command, found.version) == ((str(compiler),), "avr-gcc 7.3.0")
