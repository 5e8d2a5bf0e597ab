"""PlatformIO, run as a command: the only file that runs it. A project is built or flashed; its errors become ours
(`midge.build.platformio_problems`).

The first build for a board fetches its compiler and its framework. Without the network that takes a minute to fail, and
PlatformIO says little about why.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from midge.boards import Board
from midge.build.image import Image, Symbol, load_image
from midge.build.platformio_problems import Said, problem
from midge.errors import LinkError, MidgeError, MissingExtraError, ToolchainError

Say = Callable[[str], None]
"""Takes a line about what is going on."""

BUILD_SECONDS = 1800.0
UPLOAD_SECONDS = 60.0
"""Besides what the image takes: see `upload_seconds`."""
_SLOWEST_UPLOAD = 2_000  # bytes a second, written and read back
_FETCHING = ("Platform Manager: Installing", "Tool Manager: Installing", "Library Manager: Installing")
_SILENCE_SECONDS = 10.0
_SILENCE = "still fetching it; without a network PlatformIO gives up after a minute"
_QUIET = {
    "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "No",
    "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
    "PLATFORMIO_SETTING_DISABLE_UDEV_RULES_CHECK": "Yes",
    "PLATFORMIO_NO_ANSI": "true",
}
# What the lines that a person wants to see begin with.
_STEPS = ("Platform Manager:", "Tool Manager:", "Downloading", "Unpacking", "Linking", "Uploading", "Writing")
_ELF_NAMES = ("firmware.elf", "program.elf")


def find_pio() -> tuple[str, ...]:
    """The command: the package beside midge, else `pio` on the PATH.

    Raises:
        MissingExtraError: there is neither.
    """
    if importlib.util.find_spec("platformio") is not None:
        return (sys.executable, "-m", "platformio")
    if path := shutil.which("pio") or shutil.which("platformio"):
        return (path,)
    raise MissingExtraError("PlatformIO is not installed", hint="pip install platformio")


def build_project(project: Path, board: Board, say: Say, seconds: float = BUILD_SECONDS) -> Image:
    """Build the project for the board.

    Raises:
        ToolchainError: the compiler refused, a package cannot be fetched, or the disk is full.
        DoesNotFitError: the firmware is larger than the board; the message has the largest symbols.
    """
    if not _is_installed(board):
        say(f"PlatformIO fetches compiler and framework of {board.name}, about {board.build.megabytes} MB, once")
    done = _run(["run", "-d", str(project)], say, seconds)
    if done.code is None:
        raise ToolchainError(f"PlatformIO did not end within {seconds:g} s", hint=f"see what pio run -d {project} says")
    if done.code != 0:
        raise problem(Said(done.lines, board, project, None), lambda: _linked_symbols(project, board))
    return read_elf(project, board)


def upload_project(project: Path, board: Board, port: str, say: Say, seconds: float = UPLOAD_SECONDS) -> None:
    """Build the project and flash it over `port`, as PlatformIO's uploaders spell it (see `upload_port`).

    Raises:
        LinkError: no board there, the port is busy, or may not be opened.
        ToolchainError, DoesNotFitError: as `build_project`.
    """
    done = _run(["run", "-d", str(project), "-t", "upload", "--upload-port", port], say, seconds)
    if done.code is None:
        raise LinkError(
            f"flashing {board.title} at {port} did not end within {seconds:g} s",
            hint="see that the board is still connected, press its reset button, and try again",
        )
    if done.code != 0:
        raise problem(Said(done.lines, board, project, port), lambda: _linked_symbols(project, board))


def upload_seconds(image: Image) -> float:
    """How long the upload of an image may take."""
    return UPLOAD_SECONDS + sum(len(segment.data) for segment in image.segments) / _SLOWEST_UPLOAD


def upload_port(url: str, board: Board) -> str:
    """The port as the uploader of the board spells it.

    Raises:
        LinkError: that uploader does not reach boards behind such a port.
    """
    if "://" not in url:
        return url
    platform = board.build.platform.split()[0]
    if url.startswith("socket://") and platform == "atmelavr":
        return "net:" + url.removeprefix("socket://")
    if url.startswith("rfc2217://") and platform.startswith("espressif"):
        return url
    raise LinkError(
        f"{board.name} cannot be flashed over {url}",
        hint="flash it where it is plugged in (midge compile --project, pio run -t upload): midge sees what it runs",
    )


def read_elf(project: Path, board: Board) -> Image:
    """The image that a build has left. Raises ToolchainError where there is none."""
    folder = project / ".pio" / "build" / board.name
    for name in _ELF_NAMES:
        if (folder / name).is_file():
            return load_image(folder / name, "pio", _compiler(folder / name), (board.build.platform,))
    raise ToolchainError(f"PlatformIO has left no ELF file in {folder}", hint="see what `pio run` says there")


@dataclass(frozen=True)
class _Done:
    """How PlatformIO ended; `code` is None when it did not in time."""

    code: int | None
    lines: tuple[str, ...]


def _run(arguments: list[str], say: Say, seconds: float) -> _Done:
    """Run pio, passing on what a person wants to see of it."""
    environment = {**_QUIET, **os.environ}
    lines: list[str] = []
    try:
        process = subprocess.Popen(
            [*find_pio(), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # what it starts in turn ends with it
        )
    except OSError as error:
        raise ToolchainError(f"PlatformIO cannot be started: {error}", hint="pip install platformio") from error
    assert process.stdout is not None
    guard = threading.Timer(seconds, _end, (process,))
    guard.start()
    # PlatformIO itself is silent for a minute where there is no network.
    patience = threading.Timer(_SILENCE_SECONDS, say, (_SILENCE,))
    try:
        for line in process.stdout:
            patience.cancel()
            lines.append(line.rstrip())
            if line.startswith(_STEPS):
                say(line.rstrip())
            if line.startswith(_FETCHING):
                patience = threading.Timer(_SILENCE_SECONDS, say, (_SILENCE,))
                patience.start()
        code = process.wait()
        timed_out = not guard.is_alive()
    finally:
        guard.cancel()
        patience.cancel()
        _end(process)
        process.wait()
        process.stdout.close()
    return _Done(None if timed_out else code, tuple(lines))


def _end(process: subprocess.Popen[str]) -> None:
    """End PlatformIO with all that it has started: an uploader that waits for ever would keep its pipe open."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _is_installed(board: Board) -> bool:
    core = os.environ.get("PLATFORMIO_CORE_DIR")
    folder = Path(core) if core else Path.home() / ".platformio"
    return (folder / "platforms" / board.build.platform.split()[0]).is_dir()


def _linked_symbols(project: Path, board: Board) -> Iterator[Symbol]:
    """What was linked, else what would have been: where the linker itself gave up, its inputs are there."""
    try:
        yield from read_elf(project, board).symbols
    except MidgeError:
        for file in (project / ".pio" / "build" / board.name).rglob("*.o"):
            with contextlib.suppress(MidgeError):
                # Objects that the linker still has to translate hold nothing but marks.
                yield from (s for s in load_image(file).symbols if not s.name.startswith("__gnu_lto_"))


def _compiler(elf: Path) -> str:
    """What the compiler says of itself in the ELF file's comment."""
    from elftools.elf.elffile import ELFFile

    with elf.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".comment")
        said = section.data().split(b"\0")[0].decode("utf-8", "replace") if section is not None else ""
    return said or "unknown compiler"
