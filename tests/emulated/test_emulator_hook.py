"""The native hook: any compiler there is can make it, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from midge.build.toolchain import find_host_compiler
from midge.errors import MidgeError, ToolchainError
from midge.run import emulator_hook
from midge.run.emulator_hook import load_hook


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of the test's own."""
    monkeypatch.setenv("MIDGE_CACHE_DIR", str(tmp_path / "cache"))
    load_hook.cache_clear()
    yield tmp_path / "cache"
    load_hook.cache_clear()


@pytest.mark.parametrize("compiler", ["gcc", "clang", "zig"])
def test_any_compiler_makes_the_hook_and_the_next_start_finds_it(
    compiler: str, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDGE_HOST_COMPILER", compiler)
    try:
        find_host_compiler()
    except MidgeError as error:
        pytest.skip(f"needs {compiler}: {error.hint}")
    load_hook()
    (library,) = empty_cache.iterdir()
    made = library.stat().st_mtime_ns
    load_hook.cache_clear()
    load_hook()
    assert [path.stat().st_mtime_ns for path in empty_cache.iterdir()] == [made]


def test_a_source_that_does_not_compile_is_an_error_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "emulator_hook.c"
    source.write_text("int broken(")
    monkeypatch.setattr(emulator_hook, "_SOURCE", source)
    with pytest.raises(ToolchainError, match="could not compile the emulator's hook"):
        load_hook()


def test_a_cache_folder_that_cannot_be_made_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MIDGE_CACHE_DIR", str(tmp_path / "file" / "folder"))
    monkeypatch.setattr(emulator_hook.tempfile, "tempdir", str(tmp_path))
    load_hook()
