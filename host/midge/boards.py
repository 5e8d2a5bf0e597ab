"""boards/*.toml -> Board, strictly checked: where firmware runs.

A board is one file in `boards/`, a core one in `boards/cores/`; both folders are discovered. A field that is unknown,
missing or of the wrong kind is an error with the path of the field (`$.serial.modem`). A board file of one's own is
loaded by its path.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from midge.errors import BoardError
from midge.resources import boards_dir

T = TypeVar("T")
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
UsbId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{4}:[0-9a-f]{4}$")]
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**32)]
Address = Annotated[int, msgspec.Meta(ge=0, lt=2**32, multiple_of=256)]
# Unicorn maps memories in pages; a region that starts elsewhere could not be protected.
_PAGE = 4096


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all parts of a board have in common: frozen, and a typo in a field's name is an error."""


class Gcc(_Record, frozen=True):
    """The GNU compiler of a core: the command's name, the flags that select the core, and Debian's packages of it.

    `platformio` is PlatformIO's package, taken where the command is not on the PATH. `floats`: its library has the
    float arithmetic that the core has no instructions for.
    """

    command: Text
    flags: tuple[Text, ...]
    floats: bool = True
    packages: Text = "gcc-arm-none-eabi libnewlib-arm-none-eabi"
    platformio: Name | None = None


class Zig(_Record, frozen=True):
    """The clang inside the `ziglang` package for a core: target triple and flags."""

    target: Text
    flags: tuple[Text, ...]


class Unicorn(_Record, frozen=True, tag="unicorn", tag_field="kind"):
    """Executes the core's instructions in this process, as the CPU that Unicorn calls `UC_CPU_<...>_<cpu>`."""

    cpu: Text
    instruction_set: Literal["thumb", "rv32"] = "thumb"


class Qemu(_Record, frozen=True, tag="qemu", tag_field="kind"):
    """Executes the core's instructions in a QEMU of its own: the command, the machine, and more arguments.

    With `-icount shift=<icount_shift>` each instruction takes 2^icount_shift ns of the machine's time, by which its
    timer counts instructions. `package` is Debian's. `single_step`: blocks of one instruction each, for a core that
    QEMU gets wrong otherwise. `relative`: in words, which core of the family it is where QEMU has not this one.
    """

    command: Text
    machine: Text
    package: Text
    icount_shift: Annotated[int, msgspec.Meta(ge=0, le=10)]
    arguments: tuple[Text, ...] = ()
    single_step: bool = False
    relative: Text | None = None


class Simavr(_Record, frozen=True, tag="simavr", tag_field="kind"):
    """Executes the core's instructions in simavr, in a process of its own, as the chip that it calls `mcu`.

    `flash_bytes` and `data_bytes` (registers and RAM) are the chip's.
    """

    mcu: Name
    flash_bytes: Positive
    data_bytes: Positive


Emulator = Unicorn | Qemu | Simavr


class Timing(_Record, frozen=True, kw_only=True):
    """What is counted, by which module of `midge.measure.timing` (none where the emulator counts by itself), and how
    far to trust it: the words a report prints."""

    kind: Literal["modelled cycles", "exact cycles", "instructions"] = "modelled cycles"
    model: Name | None = None
    basis: Text


class Harness(_Record, frozen=True):
    """What a firmware needs besides the model (start-up, protocol, libc, stack), guessed before anything is linked."""

    flash_bytes: Positive = 8 * 1024
    ram_bytes: Positive = 4 * 1024


class Levels(_Record, frozen=True):
    """The compiler's optimization of the model's code for each goal."""

    speed: Text = "-O3"
    balanced: Text = "-O2"
    size: Text = "-Os"


class Core(_Record, frozen=True, kw_only=True):
    """A processor core: how to compile for it, what it can do, how it is emulated and timed.

    `port` (start-up, linker script) and `line` (what port.h asks for) are folders of firmware/port. `zig` is left out
    where that compiler does not know the core.

    `features` are instructions that some kernels need. A core without `emulator` has no twin, and no use for `port`,
    compilers (PlatformIO brings its own) and `timing`.
    `address_space`: constants lie in a memory that is read through other instructions than RAM.
    """

    name: Name
    title: Text
    features: tuple[Name, ...]
    word_bits: Literal[8, 32] = 32
    port: Name | None = None
    line: Name = "page"
    gcc: Gcc | None = None
    zig: Zig | None = None
    emulator: Emulator | None = None
    timing: Timing | None = None
    harness: Harness = Harness()
    levels: Levels = Levels()
    address_space: bool = False

    @property
    def abilities(self) -> tuple[str, ...]:
        """All that a kernel may need of it: the width of its words, and its features."""
        return (f"{self.word_bits}-bit", *self.features)


class Memory(_Record, frozen=True):
    """Where things lie, as the emulated firmware sees them. `device_address`: a page with the line and the timer.

    On AVR data addresses are those of the ELF format, 0x800000 and what the core uses.
    """

    flash_address: Address
    ram_address: Address
    device_address: Address


class Twin(_Record, frozen=True):
    """What the emulated twin of a board needs, all of it there."""

    port: Name
    gcc: Gcc
    emulator: Emulator
    timing: Timing
    memory: Memory


class PlatformIO(_Record, frozen=True):
    """What PlatformIO calls the board; `framework` is the one midge's firmware is built on.

    `platform` has its name and the versions that will do, as platformio.ini spells it. `serial` is the object of the
    framework that reaches the host. `options` are further lines of platformio.ini. `megabytes`: of the first download.
    `proven`: what tests/pio have built the project with, the Arduino core itself or a stand-in for it, and have run;
    `for a relative`: with a stand-in and the compiler of another core of the family, and run on that.
    """

    platform: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]+ @ [\^~0-9.]+$")]
    board: Name
    framework: Literal["arduino"]
    serial: Annotated[str, msgspec.Meta(pattern=r"^\w+$")] = "Serial"
    options: tuple[Annotated[str, msgspec.Meta(pattern=r"^[\w.]+ = [^\n]+$")], ...] = ()
    megabytes: Positive = 100
    proven: Literal["not yet", "for a relative", "with a stand-in", "with its core"] = "not yet"


class SerialLine(_Record, frozen=True):
    """The line to the host: bits per second, what opening the port does to the board, and the USB ids it shows.

    `modem`: `ignored` (DTR and RTS do nothing), `dtr-high` (silent while DTR is low), `resets-on-open`, or `esp-reset`
    (RTS resets, DTR selects the boot loader). `ready_seconds`: the longest from opening the port to the first answer.
    `quiet_seconds`: from opening the port on, nothing is sent, because a boot loader would listen.
    `reappears`: the port goes away and comes back at upload. `payload_bytes`: of the largest frame of the protocol.
    """

    speed: Positive
    modem: Literal["ignored", "dtr-high", "resets-on-open", "esp-reset"]
    usb: tuple[UsbId, ...] = ()
    ready_seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = 5.0
    quiet_seconds: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.0
    reappears: bool = False
    payload_bytes: Annotated[int, msgspec.Meta(ge=100, le=4096)] = 1024


class Board(_Record, frozen=True):
    """A board: its core, clock, memories and how to reach it.

    `wait_states` are those of the flash at `clock_hz`. A board without `platformio` or `serial` exists only emulated.
    `constants_in_ram`: its flash cannot be read byte by byte, so that weights and tables are copied into RAM.
    """

    name: Name
    title: Text
    chip: Text
    core: Core
    clock_hz: Positive
    wait_states: Annotated[int, msgspec.Meta(ge=0, le=64)]
    flash_bytes: Positive
    ram_bytes: Positive
    constants_in_ram: bool = False
    memory: Memory | None = None
    platformio: PlatformIO | None = None
    serial: SerialLine | None = None

    @property
    def twin(self) -> Twin:
        """The emulated twin. Raises BoardError where there is none."""
        core = self.core
        port, gcc, emulator, timing, memory = core.port, core.gcc, core.emulator, core.timing, self.memory
        if port is None or gcc is None or emulator is None or timing is None or memory is None:
            raise BoardError(
                f"there is no emulated twin of {self.name} ({core.title})",
                hint="run on the board itself with --port, or emulate another board (midge boards)",
            )
        return Twin(port=port, gcc=gcc, emulator=emulator, timing=timing, memory=memory)

    @property
    def has_twin(self) -> bool:
        """Whether the board can be emulated."""
        return self.core.emulator is not None and self.memory is not None

    @property
    def build(self) -> PlatformIO:
        """How PlatformIO builds for it. Raises BoardError for a board that exists only emulated."""
        if self.platformio is None:
            raise BoardError(f"{self.name} exists only emulated", hint="name a board that one can buy (midge boards)")
        return self.platformio

    @property
    def line(self) -> SerialLine:
        """The line to the host. A board that exists only emulated is reached through whatever `midge emulate` opens."""
        return self.serial or SerialLine(speed=115_200, modem="ignored")


def list_boards() -> tuple[str, ...]:
    """The names of all boards that travel with midge, sorted."""
    return tuple(sorted(path.stem for path in boards_dir().glob("*.toml")))


def list_cores() -> tuple[str, ...]:
    """The names of all cores, sorted."""
    return tuple(sorted(path.stem for path in (boards_dir() / "cores").glob("*.toml")))


def list_twin_cores() -> tuple[str, ...]:
    """The names of the cores that can be emulated, sorted; each has a board of its name, or real ones with a twin."""
    return tuple(name for name in list_cores() if load_core(name).emulator is not None)


def list_twin_boards() -> tuple[str, ...]:
    """One board for each core that can be emulated, sorted: the one of the core's name, else the first that has it."""
    cores, boards = list_twin_cores(), list_boards()
    others = {load_board(name).core.name: name for name in reversed(boards)}
    return tuple(sorted(name if name in boards else others[name] for name in cores))


def load_board(name_or_path: str | Path) -> Board:
    """The board of that name, or the one described in that .toml file.

    Raises:
        BoardError: no such board or file, or a mistake in the file; the message has the path of the field.
    """
    path = _board_file(name_or_path)
    raw = _read_toml(path)
    core = raw.get("core")
    if not isinstance(core, str):
        raise BoardError(
            f"{path}: $.core must be the name of a core as a string", hint="one of " + ", ".join(list_cores())
        )
    board = _convert({**raw, "core": msgspec.to_builtins(load_core(core))}, Board, path)
    if isinstance(board.core.emulator, Unicorn) and board.memory is not None:
        _check_pages(board.memory, path)
    if path.parent == boards_dir() and board.name != path.stem:
        raise BoardError(f"{path}: $.name is {board.name!r}, unlike the file's name", hint="make them equal")
    return board


def _check_pages(memory: Memory, path: Path) -> None:
    for field, address in msgspec.structs.asdict(memory).items():
        if address % _PAGE:
            raise BoardError(f"{path}: a multiple of {_PAGE} is expected - at `$.memory.{field}`")


def load_core(name: str) -> Core:
    """The core of that name.

    Raises:
        BoardError: no such core, or a mistake in its file.
    """
    if name not in list_cores():
        raise BoardError(f"there is no core {name!r}", hint="one of " + ", ".join(list_cores()))
    path = boards_dir() / "cores" / f"{name}.toml"
    return _convert(_read_toml(path), Core, path)


def _board_file(name_or_path: str | Path) -> Path:
    if str(name_or_path) in list_boards():
        return boards_dir() / f"{name_or_path}.toml"
    path = Path(name_or_path)
    if path.suffix == ".toml" and path.is_file():
        return path
    if path.suffix == ".toml":
        raise BoardError(f"there is no board file {path}", hint="check the path, or take a board of `midge boards`")
    name = str(name_or_path)
    close = _meant(name.lower())
    meant = f"{' or '.join(close[:4])}; `midge boards` lists all" if close and name else ", ".join(list_boards())
    raise BoardError(f"there is no board {name!r}", hint=f"{meant}; or the path of a .toml file")


def _meant(name: str) -> list[str]:
    """Boards that one may have meant, the likeliest first: arduino_uno and Nano33BLE are names, too."""
    close = difflib.get_close_matches(name, list_boards(), cutoff=0.5)
    return close + [board for board in list_boards() if board not in close and (board in name or name in board)]


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BoardError(f"{path}: cannot be read: {error}", hint="compare it with a file in boards/") from error


def _convert(raw: dict[str, Any], kind: type[T], path: Path) -> T:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise BoardError(f"{path}: {error}", hint="compare it with a file in boards/") from error
