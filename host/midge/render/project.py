"""The Program as a PlatformIO project: firmware for one board, and the model in it as a library of its own.

platformio.ini                     stock names: builds the same anywhere
src/                               midge's firmware around the model: link, port, app.c
lib/<prefix>/                      the model, for PlatformIO (library.json), the Arduino IDE (library.properties)
                                   and ESP-IDF (CMakeLists.txt), with an example for each that needs nothing else
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from midge.boards import Board
from midge.errors import DoesNotFitError
from midge.lower.program import Program
from midge.render.environment import environment
from midge.render.sources import Sources, render_app
from midge.resources import firmware_dir
from midge.settings import Goal

# Constants that 16-bit pointers surely reach, behind interrupt vectors and whatever else lies in low flash.
_NEAR_BYTES = 49152
# Sizes are 16-bit integers with a sign.
_MOST_ARRAY_BYTES = 32767
_LINK = ("app.h", "cobs.c", "cobs.h", "crc.c", "crc.h", "protocol.c", "protocol.h")


def render_project(program: Program, sources: Sources, board: Board, goal: Goal) -> Sources:
    """Every file of the project: path -> text. Raises BoardError for a board that exists only emulated, DoesNotFitError
    for constants that its compiler does not take."""
    check_arrays(program, board)
    firmware = firmware_dir()
    arduino = firmware / "port" / "arduino"
    project = {
        "platformio.ini": _render("platformio.ini", program, board=board, flags=build_flags(program, board)),
        "src/app.c": render_app(program),
        "src/host_link.c": (arduino / "host_link.c").read_text(),
        "src/port/port.h": (firmware / "port" / "port.h").read_text(),
        "src/port/arduino.h": (arduino / "arduino.h").read_text(),
        "src/port/port.cpp": (arduino / "port.cpp").read_text(),
    }
    project |= {f"src/link/{name}": (firmware / "link" / name).read_text() for name in _LINK}
    level: str = getattr(board.core.levels, goal)
    library = render_library(program, sources, level)
    return {**project, **{f"lib/{program.prefix}/{name}": text for name, text in library.items()}}


def render_library(program: Program, sources: Sources, level: str) -> Sources:
    """The model as a library: path -> text. `level` is the compiler's optimization, where the builder takes one."""
    flash = (firmware_dir() / "nn" / "midge_flash.h").read_text()
    prefix = program.prefix
    return {
        "library.json": _render("library/library.json", program, level=level),
        "library.properties": _render("library/library.properties", program),
        "CMakeLists.txt": _render("library/CMakeLists.txt", program, level=level),
        f"src/{prefix}.h": _render("library/header.h", program),
        f"examples/{prefix}/{prefix}.ino": _render("library/example.ino", program),
        "examples/esp_idf/CMakeLists.txt": _render("idf/CMakeLists.txt", program),
        "examples/esp_idf/main/CMakeLists.txt": _render("idf/main_CMakeLists.txt", program),
        "examples/esp_idf/main/main.c": _render("idf/main.c", program),
        **{f"src/{name}": text for name, text in {"midge_flash.h": flash, **sources}.items()},
    }


def build_flags(program: Program, board: Board) -> tuple[str, ...]:
    """What firmware and model are compiled with besides the board's own flags."""
    return tuple(_build_flags(program, board))


def check_arrays(program: Program, board: Board) -> None:
    """Whether the board's compiler takes constants so large. Raises DoesNotFitError, which names the layer."""
    for constant in program.constants if board.core.address_space else ():
        if constant.bytes > _MOST_ARRAY_BYTES:
            raise DoesNotFitError(
                f"{program.name} cannot be compiled for {board.name}: the constants of layer {constant.comment} have "
                f"{constant.bytes:,} bytes, and an array has {_MOST_ARRAY_BYTES:,} there at most",
                hint="a layer with fewer weights, or a board with another core (midge boards)",
            )


def far_constants(program: Program, board: Board) -> Mapping[str, str]:
    """The macros that let a model's code reach constants which 16 bits do not."""
    if board.core.address_space and program.constant_bytes > _NEAR_BYTES:
        return {"MIDGE_FLASH": "__memx", "MIDGE_FLASH_FAR": "1"}
    return {}


def _build_flags(program: Program, board: Board) -> Iterator[str]:
    yield "-DMIDGE_PROFILE"
    yield f"-DMIDGE_PORT_SERIAL={board.build.serial}"
    yield f"-DMIDGE_PORT_SPEED={board.line.speed}"
    yield f"-DMIDGE_PORT_CLOCK_HZ={board.clock_hz}UL"
    yield f"-DMIDGE_LINK_MAX_PAYLOAD={board.line.payload_bytes}"
    yield from (f"-D{name}={value}" for name, value in far_constants(program, board).items())
    if board.core.address_space:
        yield "-Wl,--relax"


def _render(name: str, program: Program, **values: object) -> str:
    return environment().get_template(f"project/{name}.j2").render({"p": program, **values})
