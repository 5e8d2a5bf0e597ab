"""What PlatformIO and the tools that it runs say in trouble, as errors of ours.

The words are those of PlatformIO 6, SCons, GNU ld, avrdude, esptool, bossac and dfu-util. What happens at a port is
read only when a firmware was to be flashed: a compiler, too, finds files missing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from midge.boards import Board
from midge.build.image import Symbol
from midge.errors import BoardError, DoesNotFitError, LinkError, MidgeError, ToolchainError

_LARGEST = 5
_MESSAGE_LINES = 12
_NOISE = re.compile(r"[=*\s-]*(\[FAILED\].*)?|.*[Ww]arning: .*")

Symbols = Callable[[], Iterable[Symbol]]
"""Gives what was linked, or what would have been."""


@dataclass(frozen=True)
class Said:
    """What PlatformIO has said about a project; `port` is None for a build alone."""

    lines: tuple[str, ...]
    board: Board
    project: Path
    port: str | None

    @property
    def place(self) -> str:
        """The port in words."""
        return self.port or "the port"


def problem(said: Said, symbols: Symbols) -> MidgeError:
    """What went wrong: the first of the known problems, else the lines that speak of an error."""
    text = "\n".join(said.lines)
    for pattern, make in (*_BUILDING, *(_FLASHING if said.port is not None else ())):
        if found := re.search(pattern, text, re.IGNORECASE | re.MULTILINE):
            return make(found[0].strip(), said, symbols)
    told = [line for line in said.lines if not _NOISE.fullmatch(line)]
    wrong = [line for line in told if "error" in line.lower()] or told[-_MESSAGE_LINES:]
    return ToolchainError(
        f"PlatformIO could not {'flash' if said.port else 'build'} the firmware of {said.board.name}:\n"
        + "\n".join(wrong[:_MESSAGE_LINES]),
        hint=f"pio run -d {said.project} shows all that it says",
    )


def _unreachable(words: str, said: Said, symbols: Symbols) -> MidgeError:
    wanted = [line.split("Installing ", 1)[1] for line in said.lines if "Manager: Installing " in line]
    what = wanted[-1] if wanted else "what it needs"
    return ToolchainError(
        f"PlatformIO cannot fetch {what} for {said.board.name} ({words.rstrip(': ')}): no answer from the network",
        hint="connect this computer to the network once (about "
        f"{said.board.build.megabytes} MB), or copy ~/.platformio from one that has built for this board",
    )


def _disk_full(words: str, said: Said, symbols: Symbols) -> MidgeError:
    return ToolchainError(
        f"the disk is full; PlatformIO needs about {said.board.build.megabytes * 3} MB for {said.board.name}",
        hint="pio system prune frees what it no longer needs; PLATFORMIO_CORE_DIR names another place for it",
    )


def _too_large(words: str, said: Said, symbols: Symbols) -> MidgeError:
    board = said.board
    return DoesNotFitError(
        f"the firmware does not fit {board.name} ({board.flash_bytes:,} bytes of flash, {board.ram_bytes:,} of RAM): "
        f"{words}{_largest(symbols)}",
        hint="--optimize size, a smaller network, or a board with more memory (midge boards)",
    )


def _largest(symbols: Symbols) -> str:
    """The largest of them, one a line; "" where there are none."""
    sizes = {(symbol.name, symbol.bytes) for symbol in symbols()}
    largest = sorted(sizes, key=lambda item: (-item[1], item[0]))[:_LARGEST]
    return "".join(f"\n{size:>10,} bytes  {name}" for name, size in largest if size)


def _unknown_board(words: str, said: Said, symbols: Symbols) -> MidgeError:
    return BoardError(
        f"PlatformIO does not know what the board file of {said.board.name} names: {words}",
        hint="correct [platformio] there",
    )


def _busy(words: str, said: Said, symbols: Symbols) -> MidgeError:
    return LinkError(f"{said.place} is busy ({words})", hint="close what else has it open, such as a serial monitor")


def _denied(words: str, said: Said, symbols: Symbols) -> MidgeError:
    return LinkError(
        f"you may not open {said.place} ({words})",
        hint="on Linux: sudo usermod -a -G dialout $USER, then log in again",
    )


def _absent(words: str, said: Said, symbols: Symbols) -> MidgeError:
    return LinkError(
        f"there is no {said.board.title} at {said.place} ({words})",
        hint="see that it is plugged in and powered; some boards enter their boot loader by a button",
    )


def _damaged(words: str, said: Said, symbols: Symbols) -> MidgeError:
    return LinkError(
        f"what {said.board.title} at {said.place} holds after the upload is not what was sent ({words})",
        hint="try again; a shorter cable, another USB port or a lower upload_speed helps where it happens often",
    )


def _garbled(words: str, said: Said, symbols: Symbols) -> MidgeError:
    return LinkError(
        f"{said.board.title} at {said.place} was not flashed: what it answered came back damaged ({words})",
        hint="try again; a shorter cable, another USB port or a lower upload_speed helps where it happens often",
    )


def _not_opened(words: str, said: Said, symbols: Symbols) -> MidgeError:
    """An uploader that says the same, whatever kept it from opening the port: the port itself knows better."""
    port = Path(said.place)
    if port.exists():
        return (_busy if os.access(port, os.R_OK | os.W_OK) else _denied)(words, said, symbols)
    return _absent(words, said, symbols)


_Make = Callable[[str, Said, Symbols], MidgeError]

# First match wins.
_BUILDING: tuple[tuple[str, _Make], ...] = (
    (r"No space left on device", _disk_full),
    (r"HTTPClientError.*|InternetConnectionError.*|.*internet connection.*|Could not find the package.*", _unreachable),
    (
        r"Unknown(Platform|Board|Framework|Package).*|Unknown (board ID|development platform|framework).*",
        _unknown_board,
    ),
    (r"This board doesn't support .* framework.*", _unknown_board),
    (r"The program size .* is greater than maximum allowed .*|The data size .* is greater than .*", _too_large),
    (r".*region .* overflowed by \d+ bytes|.*will not fit in region.*|.*section .* overlaps .*", _too_large),
)
_FLASHING: tuple[tuple[str, _Make], ...] = (
    (r".*(Device or resource busy|port is busy$|Could not exclusively lock|Access is denied).*", _busy),
    (r".*Permission denied.*", _denied),
    (r".*Could not open .*, the port (doesn't exist|is busy or doesn't exist).*", _not_opened),
    (r".*(No such file or directory|can't open device|cannot open port|cannot connect: ).*", _absent),
    (
        r".*(Please specify `upload_port`|Couldn't find a board on the selected port|No DFU capable USB device).*",
        _absent,
    ),
    (r".*(verification error|verification mismatch|content mismatch|Verify failed|hash of data).*", _damaged),
    (
        r".*(No serial data|Failed to connect|No device found|not in sync|not responding|timed out|protocol error"
        r"|timeout (while|waiting|error)|bad response).*",
        _absent,
    ),
    (r".*(protocol expects .* but got|out of sync|unable to read all of|Invalid head of packet).*", _garbled),
)
