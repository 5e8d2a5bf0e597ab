"""PlatformIO, run as a command: the only file that knows it. A project is built or flashed; its errors become ours.

The first build for a board fetches its compiler and its framework. Without the network that takes a minute to fail, and
PlatformIO says little about why.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
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
from midge.errors import BoardError, DoesNotFitError, LinkError, MidgeError, MissingExtraError, ToolchainError

Say = Callable[[str], None]
"""Takes a line about what is going on."""

BUILD_SECONDS = 1800.0
UPLOAD_SECONDS = 60.0
"""Besides what the image takes: see `upload_seconds`."""
_SLOWEST_UPLOAD = 2_000  # bytes a second, written and read back
_LARGEST = 5
_MESSAGE_LINES = 12
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
        raise _problem(done.lines, project, board, port=None)
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
        raise _problem(done.lines, project, board, port)


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
    try:
        for line in process.stdout:
            lines.append(line.rstrip())
            if line.startswith(_STEPS):
                say(line.rstrip())
        code = process.wait()
        timed_out = not guard.is_alive()
    finally:
        guard.cancel()
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


def _problem(lines: tuple[str, ...], project: Path, board: Board, port: str | None) -> MidgeError:
    """What went wrong, from what PlatformIO and its tools have said."""
    text = "\n".join(lines)
    for pattern, make in _PROBLEMS:
        if found := re.search(pattern, text, re.IGNORECASE | re.MULTILINE):
            return make(found[0].strip(), project, board, port or "the port")
    said = [line for line in lines if "error" in line.lower()] or list(lines[-_MESSAGE_LINES:])
    return ToolchainError(
        f"PlatformIO could not {'flash' if port else 'build'} the firmware of {board.name}:\n"
        + "\n".join(said[:_MESSAGE_LINES]),
        hint=f"pio run -d {project} shows all that it says",
    )


def _unreachable(said: str, project: Path, board: Board, port: str) -> MidgeError:
    return ToolchainError(
        f"PlatformIO cannot fetch what {board.name} needs ({said})",
        hint="connect this computer to the network once (about "
        f"{board.build.megabytes} MB), or copy ~/.platformio from one that has built for this board",
    )


def _disk_full(said: str, project: Path, board: Board, port: str) -> MidgeError:
    return ToolchainError(
        f"the disk is full; PlatformIO needs about {board.build.megabytes * 3} MB for {board.name}",
        hint="pio system prune frees what it no longer needs; PLATFORMIO_CORE_DIR names another place for it",
    )


def _too_large(said: str, project: Path, board: Board, port: str) -> MidgeError:
    return DoesNotFitError(
        f"the firmware does not fit {board.name} ({board.flash_bytes:,} bytes of flash, {board.ram_bytes:,} of RAM): "
        f"{said}{_largest(project, board)}",
        hint="--optimize size, a smaller network, or a board with more memory (midge boards)",
    )


def _unknown_board(said: str, project: Path, board: Board, port: str) -> MidgeError:
    return BoardError(
        f"PlatformIO does not know what the board file of {board.name} names: {said}", hint="correct [platformio] there"
    )


def _busy(said: str, project: Path, board: Board, port: str) -> MidgeError:
    return LinkError(f"{port} is busy ({said})", hint="close what else has it open, such as a serial monitor")


def _denied(said: str, project: Path, board: Board, port: str) -> MidgeError:
    return LinkError(
        f"you may not open {port} ({said})",
        hint="on Linux: sudo usermod -a -G dialout $USER, then log in again",
    )


def _absent(said: str, project: Path, board: Board, port: str) -> MidgeError:
    return LinkError(
        f"there is no {board.title} at {port} ({said})",
        hint="see that it is plugged in and powered; some boards enter their boot loader by a button",
    )


def _damaged(said: str, project: Path, board: Board, port: str) -> MidgeError:
    return LinkError(
        f"what {board.title} at {port} holds after the upload is not what was sent ({said})",
        hint="try again; a shorter cable, another USB port or a lower upload_speed helps where it happens often",
    )


# First match wins. Patterns are words of PlatformIO, GNU ld, avrdude, esptool, bossac and the C library.
_PROBLEMS = (
    (r"No space left on device", _disk_full),
    (r"HTTPClientError.*|InternetConnectionError.*|.*internet connection.*|Could not find the package.*", _unreachable),
    (r"UnknownPlatform.*|UnknownBoard.*|Unknown board ID.*|UnknownPackageError.*", _unknown_board),
    (r"The program size .* is greater than maximum allowed .*|The data size .* is greater than .*", _too_large),
    (r".*region .* overflowed by \d+ bytes|.*will not fit in region.*|.*section .* overlaps .*", _too_large),
    (r".*Permission denied.*", _denied),
    (r".*(Device or resource busy|port is busy|Could not exclusively lock).*", _busy),
    (r".*(No such file or directory|can't open device|cannot open port|Please specify `upload_port`).*", _absent),
    (r".*(verification error|verification mismatch|content mismatch|Verify failed|hash of data|MD5).*", _damaged),
    (
        r".*(not in sync|protocol error|bad response|invalid response|not responding|No serial data|Failed to connect"
        r"|No device found|timed out|timeout (while|waiting|error)).*",
        _absent,
    ),
)


def _largest(project: Path, board: Board) -> str:
    """The largest symbols of what was linked all the same, one a line; "" where nothing was."""
    symbols = {(s.name, s.bytes) for s in _linked_symbols(project, board)}
    largest = sorted(symbols, key=lambda item: (-item[1], item[0]))[:_LARGEST]
    return "".join(f"\n{size:>10,} bytes  {name}" for name, size in largest if size)


def _linked_symbols(project: Path, board: Board) -> Iterator[Symbol]:
    """What was linked, else what would have been: where the linker itself gave up, its inputs are there."""
    try:
        yield from read_elf(project, board).symbols
    except MidgeError:
        for file in (project / ".pio" / "build" / board.name).rglob("*.o"):
            with contextlib.suppress(MidgeError):
                yield from load_image(file).symbols


def _compiler(elf: Path) -> str:
    """What the compiler says of itself in the ELF file's comment."""
    from elftools.elf.elffile import ELFFile

    with elf.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".comment")
        said = section.data().split(b"\0")[0].decode("utf-8", "replace") if section is not None else ""
    return said or "unknown compiler"
