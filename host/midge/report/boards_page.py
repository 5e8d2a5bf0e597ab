"""docs/boards.md of boards/*.toml and benchmarks/fits.json: `python -m midge.report.boards_page > docs/boards.md`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from midge.boards import Board, Core, Qemu, Simavr, Unicorn, list_boards, list_cores, load_board, load_core

STORED_FITS = Path(__file__).resolve().parents[3] / "benchmarks" / "fits.json"
"""In the checkout alone: the page is made there."""

_HEAD = """# Boards and cores

Made from the files in `boards/` by `python -m midge.report.boards_page`; change those, not this page.
`midge fit MODEL` shows on which of them a model fits, and how fast it would be.

## Boards

A board named after its core cannot be bought: it is that core with ample memory that never makes it wait. *Tested* says
what has been run, and no more than that.
"""

_FITS = """
## What fits

`midge fit` of the example and of well-known networks, as `benchmarks/fits.py` has stored it; no claim beyond memory.
*yes*: linked for the board's core, and within the board's memory; *(yes)*: estimated, as nothing here links for it;
*balanced*, *size*: with that goal (`--optimize`); *-*: too large. What is judged is midge's bare firmware, without what
the board's Arduino core takes besides (much on an ESP32, or with Mbed on a Nano 33 BLE).
"""

_CORES = """
## Cores

On every core with an emulated twin `tests/emulated/test_matrix.py` runs networks and compares every output value.
*Counts* says what a report's figures of that core are, and how far to trust them.
"""

_PROVEN = {
    "not yet": "its Arduino firmware has not been built",
    "for a relative": "the PlatformIO project built with a stand-in Arduino core and the LX106's compiler, run exactly "
    "on {relative}: nobody has built it with its own compiler",
    "with a stand-in": "the PlatformIO project built with a stand-in Arduino core, run exactly on the emulated core",
    "with its core": "the PlatformIO project built with its Arduino core, flashed into the emulated board, run exactly",
}

_COMPILERS = """
## Compilers

The GNU compiler where it is installed with a C library, else the clang inside the `ziglang` package
(`pip install "midge[emulator]"`).
"""


def boards_page() -> str:
    """The page as Markdown."""
    boards = [load_board(name) for name in list_boards()]
    cores = [load_core(name) for name in list_cores()]
    parts = (_HEAD, _boards(boards), _FITS, _fits(boards), _CORES, _cores(cores), _COMPILERS, _compilers(cores))
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _boards(boards: Iterable[Board]) -> str:
    head = ("board", "what it is", "core", "clock", "wait states", "flash", "RAM", "tested")
    rows = [
        (
            f"`{b.name}`",
            b.title,
            b.core.name,
            f"{b.clock_hz / 1e6:g} MHz",
            str(b.wait_states),
            _bytes(b.flash_bytes),
            _bytes(b.ram_bytes),
            _tested(b),
        )
        for b in boards
    ]
    return _table(head, rows)


def _tested(board: Board) -> str:
    """What has been built and run: nothing in the repository runs on hardware."""
    parts = [] if board.core.emulator is None else [f"networks run exactly on {_emulated(board.core)}"]
    if board.platformio is not None and (parts or board.platformio.proven != "not yet"):
        relative = _emulated(board.core if board.core.emulator is not None else _relative(board.core))
        parts += [_PROVEN[board.platformio.proven].format(relative=relative), "nobody has run it on the board itself"]
    return "; ".join(parts) or "nothing: neither built nor run"


def _fits(boards: Iterable[Board]) -> str:
    """Boards x networks; a board that is newer than the stored figures has none."""
    stored: Mapping[str, Mapping[str, Any]] = json.loads(STORED_FITS.read_text(encoding="utf-8"))
    rows = [
        (f"`{b.name}`", *(_verdict(by_board.get(b.name)) for by_board in stored.values()))
        for b in boards
        if b.platformio is not None
    ]
    return _table(("board", *stored), rows)


def _verdict(fit: Mapping[str, Any] | None) -> str:
    if fit is None:
        return "?"
    if not fit["fits"]:
        return fit["goal"] or "-"
    return "yes" if fit["sizes"] == "linked" else "(yes)"


def _relative(core: Core) -> Core:
    """The Xtensa core with a twin on which the code of one without runs."""
    return load_core("xtensa-lx6" if "mac16" in core.features else "xtensa-lx106")


def _emulated(core: Core) -> str:
    """The core that was really emulated."""
    relative = core.emulator.relative if isinstance(core.emulator, Qemu) else None
    return f"the emulated {core.name}" if relative is None else f"QEMU's {relative}"


def _cores(cores: Iterable[Core]) -> str:
    rows = [
        (c.name, c.title, ", ".join(c.abilities), _twin(c), "-" if c.timing is None else c.timing.basis) for c in cores
    ]
    return _table(("core", "what it is", "what kernels can use", "twin", "counts"), rows)


def _twin(core: Core) -> str:
    emulator = core.emulator
    if isinstance(emulator, Unicorn):
        return "Unicorn, in process"
    if emulator is None:
        return "none"
    if isinstance(emulator, Simavr):
        return "simavr (Debian: libsimavr-dev)"
    return f"`{emulator.command} -M {emulator.machine}` (Debian: {emulator.package})"


def _compilers(cores: Iterable[Core]) -> str:
    rows = [
        (
            c.name,
            "PlatformIO's" if c.gcc is None else f"`{c.gcc.command} {' '.join(c.gcc.flags)}`",
            "-" if c.gcc is None else c.gcc.packages,
            "no" if c.zig is None else f"`{' '.join(('-target', c.zig.target, *c.zig.flags))}`",
        )
        for c in cores
    ]
    return _table(("core", "GNU", "Debian packages", "ziglang"), rows)


def _bytes(count: int) -> str:
    for unit, size in (("MB", 2**20), ("KB", 2**10)):
        if count >= size and count % size == 0:
            return f"{count // size} {unit}"
    return f"{count} B"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    print(boards_page(), end="")
