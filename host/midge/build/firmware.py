"""The source tree of one firmware: midge's own C, the generated files and the linker script, in one folder.

    src/main.c, src/link/, src/port/               midge's own
    src/model/                                     generated; compiled for speed, counted as the model
    src/link.ld

A generated file's name says where it goes: a bare name into src/model/, one with a folder where it says. `main.c` and
`app.c` are the harness's: the first takes the place of midge's own. Objects of the model are called net_*.o, by which
the linker script knows them.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from string import Template

from midge.boards import Board
from midge.errors import InternalError, SettingsError
from midge.resources import firmware_dir

INCLUDE_FOLDERS = (".", "model", "link", "port")
_HARNESS_NAMES = ("main.c", "app.c")
_STACK_ALIGNMENT = 8
# Where the stack has all the RAM that is left: fewer bytes cannot be enough for protocol and any kernel.
_LEAST_STACK_BYTES = 96


@dataclass(frozen=True)
class SourceTree:
    """The folder; each C file and its object (paths relative to the folder); which files are the model's; macros.

    `own` are midge's own C files, which include nothing but `headers`, those outside of the model's folder.
    """

    folder: Path
    objects: Mapping[str, str]
    model: frozenset[str]
    defines: Mapping[str, str]
    own: frozenset[str]
    headers: tuple[Path, ...]


def write_sources(sources: Mapping[str, str], board: Board, out_dir: Path, stack_bytes: int) -> SourceTree:
    """Write everything that the board's firmware is compiled from into `out_dir`/src, which is emptied first."""
    if stack_bytes < 256 or stack_bytes % _STACK_ALIGNMENT:
        raise SettingsError(f"a stack of {stack_bytes} bytes", hint="a multiple of 8, at least 256")
    folder = out_dir.resolve() / "src"
    shutil.rmtree(folder, ignore_errors=True)
    ports = dict.fromkeys((f"port/{board.twin.port}", f"port/{board.core.line}"))
    for name in ("link", "port/port.h", "port/wide.h", *ports, "main.c"):
        _copy(firmware_dir() / name, folder / name)
    model = set()
    for name, text in sources.items():
        place = _place(name)
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text, encoding="utf-8")
        if place.startswith("model/"):
            model.add(place)
    script = folder / "port" / board.twin.port / "link.ld"
    (folder / "link.ld").write_text(Template(script.read_text()).substitute(_memory(board, stack_bytes)))
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.c"))
    objects = {file: _object_name(file) for file in files}
    if len(set(objects.values())) != len(files):
        raise InternalError(f"two sources become one object: {files}")
    own = frozenset(files) - {_place(name) for name in sources}
    headers = sorted(path for path in folder.rglob("*.h") if path.relative_to(folder).parts[0] != "model")
    return SourceTree(folder, objects, frozenset(model), _defines(board), own, tuple(headers))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _place(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise InternalError(f"a generated file may not leave its folder: {name!r}")
    return name if len(path.parts) > 1 or name in _HARNESS_NAMES else f"model/{name}"


def _object_name(file: str) -> str:
    stem = file.removesuffix(".c")
    return "net_" + stem.removeprefix("model/") + ".o" if file.startswith("model/") else stem.replace("/", "_") + ".o"


def _memory(board: Board, stack_bytes: int) -> dict[str, str]:
    memory = board.twin.memory
    return {
        "flash_address": hex(memory.flash_address),
        "flash_bytes": str(board.flash_bytes),
        "ram_address": hex(memory.ram_address),
        "ram_bytes": str(board.ram_bytes),
        "stack_bytes": str(stack_bytes),
        "least_stack_bytes": str(_LEAST_STACK_BYTES),
    }


def _defines(board: Board) -> dict[str, str]:
    frame = {} if board.serial is None else {"MIDGE_LINK_MAX_PAYLOAD": str(board.serial.payload_bytes)}
    return {
        "MIDGE_PORT_DEVICE": f"{board.twin.memory.device_address:#x}u",
        "MIDGE_PORT_CLOCK_HZ": f"{board.clock_hz}u",
        **frame,
    }
