"""Compilers: which there are, which one a core gets, and firmware through it.

The GNU compiler is taken where it is installed, else the clang inside the `ziglang` package. MIDGE_TOOLCHAIN and
MIDGE_HOST_COMPILER force one (`gcc`, `clang`, `zig`, or a path); a `prefer` argument comes before them.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from midge.boards import Board, Core, Gcc
from midge.build.firmware import INCLUDE_FOLDERS, SourceTree, write_sources
from midge.build.image import Image, load_image
from midge.build.objects import fetch, keep, object_key
from midge.errors import DoesNotFitError, MidgeError, MissingExtraError, ToolchainError
from midge.settings import Goal

Family = Literal["gcc", "clang"]
DEFAULT_STACK_BYTES = 8192
_PIP_HINT = 'pip install "midge[emulator]" brings a compiler (the ziglang package)'
_JOBS = 2
_MESSAGE_LINES = 12

# Contraction off: floats come out the same on host and device (and VFMA is no faster than VMUL, VADD on a Cortex-M4).
_COMMON_FLAGS = (
    *("-Wall", "-Wextra", "-Werror", "-g", "-fstack-usage", "-ffunction-sections", "-fdata-sections"),
    *("-ffp-contract=off", "-fno-math-errno", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"),
)
_CLANG_FLAGS = ("-fno-sanitize=undefined", "-fno-stack-protector")
_LINK_FLAGS = ("-nostartfiles", "-g", "-Os", "-Wl,--gc-sections", "-Tlink.ld")


@dataclass(frozen=True)
class Toolchain:
    """A compiler. `command` runs it, `version` is what it says of itself, `flags` select the target core."""

    name: str
    family: Family
    command: tuple[str, ...]
    version: str
    flags: tuple[str, ...] = ()


def find_toolchain(core: Core, prefer: str | None = None) -> Toolchain:
    """A compiler for the core. `prefer`, else MIDGE_TOOLCHAIN: `gcc` (or its command's name), `zig` (or `ziglang`).

    Raises:
        ToolchainError: the one asked for is unknown or not there.
        MissingExtraError: there is none at all.
    """
    if core.gcc is None:
        raise ToolchainError(f"midge itself compiles nothing for {core.name}", hint="PlatformIO does, with --port")
    wanted = prefer or os.environ.get("MIDGE_TOOLCHAIN") or ""
    if wanted not in ("", "gcc", core.gcc.command, "zig", "ziglang"):
        raise ToolchainError(f"unknown toolchain {wanted!r} for {core.name}", hint="gcc or zig")
    if wanted in ("", "gcc", core.gcc.command):
        if gcc := _cross_gcc(core.gcc):
            return gcc
        if wanted:
            raise ToolchainError(
                f"{core.gcc.command} with a C library is not installed",
                hint=f"sudo apt install {core.gcc.packages}" + (", or ask for zig" if core.zig else ""),
            )
    if core.zig is None:
        message = f"there is no compiler for {core.name}: {core.gcc.command} with a C library is not installed"
        raise ToolchainError(message, hint=f"sudo apt install {core.gcc.packages}")
    if zig := _zig(("-target", core.zig.target, *core.zig.flags)):
        return zig
    raise MissingExtraError(f"there is no compiler for {core.name}: neither {core.gcc.command} nor zig", hint=_PIP_HINT)


def find_host_compiler(prefer: str | None = None) -> Toolchain:
    """A C compiler for this computer. `prefer`, else MIDGE_HOST_COMPILER: `gcc`, `clang`, `cc`, `zig`, or a path.

    Raises:
        ToolchainError: the one asked for is not there.
        MissingExtraError: there is none at all.
    """
    wanted = prefer or os.environ.get("MIDGE_HOST_COMPILER") or ""
    for command in (wanted,) if wanted else ("cc", "gcc", "clang"):
        path = shutil.which(command) if command not in ("zig", "ziglang") else None
        if path:
            return _on_path(path)
    if wanted not in ("", "zig", "ziglang"):
        raise ToolchainError(f"there is no C compiler {wanted!r} on the PATH", hint="gcc, clang or zig")
    if zig := _zig(()):
        return zig
    raise MissingExtraError("there is no C compiler: neither cc, gcc, clang nor zig", hint=_PIP_HINT)


def toolchain_report(cores: tuple[Core, ...]) -> tuple[tuple[str, str, str, str], ...]:
    """(what for, name, version, flags) of every compiler that midge would use; name is empty where there is none."""
    rows = []
    for purpose, find in [("host", find_host_compiler), *((c.name, lambda c=c: find_toolchain(c)) for c in cores)]:
        try:
            found = find()
            rows.append((purpose, found.name, found.version, " ".join(found.flags)))
        except MidgeError as error:
            rows.append((purpose, "", str(error), ""))
    return tuple(rows)


def compile_firmware(
    sources: Mapping[str, str],
    board: Board,
    toolchain: Toolchain,
    out_dir: Path,
    *,
    optimize: Goal = "speed",
    defines: Mapping[str, str] | None = None,
    stack_bytes: int = DEFAULT_STACK_BYTES,
) -> Image:
    """Generated sources plus midge's firmware, compiled and linked for the board: `out_dir`/firmware.elf.

    `sources` maps a file name to its text; see `midge.build.firmware` for where each goes and what counts as the
    model. The model is compiled at the core's level for the goal (`speed`: -O3, `balanced`: -O2, `size`: -Os, if its
    file says nothing else), the harness with -Os.

    Raises:
        ToolchainError: the compiler or the linker refused; the message has its first lines.
        DoesNotFitError: the firmware is larger than the board's flash or RAM.
    """
    tree = write_sources(sources, board, out_dir, stack_bytes)
    given = [f"-D{name}={value}" for name, value in {**tree.defines, **(defines or {})}.items()]
    # Address spaces are an extension of the language.
    standard = "-std=gnu11" if board.core.address_space else "-std=c11"
    speed: str = getattr(board.core.levels, optimize)
    common = [*toolchain.flags, standard, *_COMMON_FLAGS, *(_CLANG_FLAGS if toolchain.family == "clang" else ())]
    includes = [f"-I{folder}" for folder in INCLUDE_FOLDERS]

    def compile_one(source: str) -> None:
        level = speed if source in tree.model else board.core.levels.size
        command = [*toolchain.command, *common, level, *includes, *given]
        made, key = tree.folder / tree.objects[source], ""
        if source in tree.own:
            key = object_key(toolchain.version, [*command, source], (tree.folder / source, *tree.headers))
            if fetch(key, made):
                return
        here = f"-fdebug-prefix-map={tree.folder}=."
        _run(toolchain.name, [*command, here, "-c", source, "-o", tree.objects[source]], tree.folder, board)
        if key:
            keep(key, made)

    with ThreadPoolExecutor(_JOBS) as pool:
        for _ in pool.map(compile_one, tree.objects):
            pass
    elf = _link(tree, board, toolchain, out_dir)
    return load_image(elf, toolchain.name, toolchain.version, (*toolchain.flags, speed))


def _link(tree: SourceTree, board: Board, toolchain: Toolchain, out_dir: Path) -> Path:
    libraries = ["-lm"] if toolchain.family == "gcc" else []
    command = [*toolchain.command, *toolchain.flags, *_LINK_FLAGS]
    _run(toolchain.name, [*command, *tree.objects.values(), *libraries, "-o", "firmware.elf"], tree.folder, board)
    elf = out_dir / "firmware.elf"
    os.replace(tree.folder / "firmware.elf", elf)
    return elf


def _run(name: str, command: list[str], folder: Path, board: Board) -> None:
    """Run a compiler in the folder; what it complains of becomes an error of ours."""
    # What a compiler that is ended leaves behind goes with the folder.
    own = {"LC_ALL": "C", "TMPDIR": str(folder.resolve())}
    environment = {"ZIG_LOCAL_CACHE_DIR": str(folder.parent / "zig-cache"), **os.environ, **own}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise ToolchainError(f"{name} could not be started: {error}") from error
    if done.returncode == 0:
        return
    lines = (done.stderr or done.stdout or f"exit code {done.returncode}, no message").splitlines()
    overflow = [line.strip() for line in lines if "overflowed by" in line or "will not fit in region" in line]
    if overflow:
        raise DoesNotFitError(
            f"the firmware does not fit {board.name} ({board.flash_bytes} bytes of flash, {board.ram_bytes} of RAM): "
            + overflow[-1],
            hint=f"midge fit MODEL --board {board.name} says what would make it fit",
        )
    raise ToolchainError(f"{name} refused:\n" + "\n".join(lines[:_MESSAGE_LINES]))


@lru_cache
def _cross_gcc(gcc: Gcc) -> Toolchain | None:
    path = shutil.which(gcc.command) or _platformios(gcc)
    if path is None or not _links((path, *gcc.flags)):
        return None
    return Toolchain(gcc.command, "gcc", (path,), _output((path, "--version")).split("\n")[0], gcc.flags)


def _platformios(gcc: Gcc) -> str | None:
    """The command in PlatformIO's package of the compiler."""
    folder = Path(os.environ.get("PLATFORMIO_CORE_DIR") or Path.home() / ".platformio")
    return shutil.which(gcc.command, path=folder / "packages" / gcc.platformio / "bin") if gcc.platformio else None


def _links(command: tuple[str, ...]) -> bool:
    """Whether the compiler has its C library: distributions package it apart."""
    with tempfile.TemporaryDirectory(prefix="midge-") as folder:
        source = Path(folder) / "nothing.c"
        source.write_text("int main(void) { return 0; }\n")
        link = [*command, "-nostartfiles", str(source), "-lm", "-lc", "-o", str(source.with_suffix(".elf"))]
        try:
            return subprocess.run(link, capture_output=True, timeout=120).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False


@lru_cache
def _zig(flags: tuple[str, ...]) -> Toolchain | None:
    if importlib.util.find_spec("ziglang") is None:
        return None
    command = (sys.executable, "-m", "ziglang")
    clang = _output((*command, "cc", "--version")).split("\n")[0]
    return Toolchain("zig", "clang", (*command, "cc"), f"zig {_output((*command, 'version'))}, {clang}", flags)


@lru_cache
def _on_path(path: str) -> Toolchain:
    version = _output((path, "--version")).split("\n")[0]
    family: Family = "clang" if "clang" in version.lower() else "gcc"
    return Toolchain(Path(path).name, family, (path,), version)


def _output(command: tuple[str, ...]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120).stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolchainError(f"{command[0]} cannot be asked for its version: {error}") from error
