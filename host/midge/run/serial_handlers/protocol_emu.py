"""The pyserial handler of emu:// URLs; see the package for their forms.

Time on an emulated board passes only while the host reads: a read runs the firmware until it has sent enough or waits
for input. Then nothing more can come, so a read returns what there is at once, whatever the timeout.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from serial.serialutil import PortNotOpenError, SerialBase, SerialException, to_bytes

from midge.run.serial_handlers import Line, attached

if TYPE_CHECKING:
    from midge.run.emulator import EmulatedBoard
    from midge.run.simavr.board import SimavrBoard


class Serial(SerialBase):  # type: ignore[misc]
    """A serial port whose other end is an emulated board. Speed and modem lines are accepted and mean nothing."""

    is_open: bool
    _line: Line | None = None
    _booted: EmulatedBoard | SimavrBoard | None = None

    def open(self) -> None:
        """Connect to the board the URL names.

        Raises:
            serial.SerialException: no port is set, it is open already, or no board of that name is attached.
            MidgeError: the ELF file or the board cannot be loaded.
        """
        if self._port is None:
            raise SerialException("Port must be configured before it can be used.")
        if self.is_open:
            raise SerialException("Port is already open.")
        self._line = _attached(self._port)
        if self._line is None:
            self._line = self._booted = _boot(self._port)
        self.is_open = True

    def close(self) -> None:
        """Disconnect; an attached board stays as it is, one that came with the port ends."""
        if self._booted is not None:
            self._booted.close()
        self._line = self._booted = None
        self.is_open = False

    @property
    def in_waiting(self) -> int:
        """Bytes that a read would give; the board runs until it waits for input."""
        return self._opened().output_waiting()

    @property
    def out_waiting(self) -> int:
        """Always 0: what is written is on the line at once."""
        return 0

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes; fewer when the board waits for input and has no more.

        Raises:
            DeviceFaultError: the emulated core stopped.
        """
        return self._opened().read(size)

    def write(self, data: Any) -> int:
        """Put bytes on the line; returns their number."""
        line, raw = self._opened(), to_bytes(data)
        line.write(raw)
        return len(raw)

    def flush(self) -> None:
        """Nothing to do: what is written is on the line at once."""
        self._opened()

    def reset_input_buffer(self) -> None:
        """Drop what the board has sent, after letting it finish."""
        self._opened().output_waiting()
        self._opened().discard_output()

    def reset_output_buffer(self) -> None:
        """Nothing to drop: what is written is on the line at once."""
        self._opened()

    def _opened(self) -> Line:
        if self._line is None:
            raise PortNotOpenError()
        return self._line

    def _reconfigure_port(self) -> None:
        """Settings of a wire there is none of."""

    _update_break_state = _update_rts_state = _update_dtr_state = _reconfigure_port

    @property
    def cts(self) -> bool:
        """Always ready."""
        return True

    dsr = cd = cts

    @property
    def ri(self) -> bool:
        """Never rings."""
        return False


def _attached(url: str) -> Line | None:
    """The running board that the URL names; None for a URL of a file."""
    name = urlsplit(url).netloc
    if not name:
        return None
    found = attached(name)
    if found is None:
        raise SerialException(f"no emulated board is attached as {name!r}")
    return found


def _boot(url: str) -> EmulatedBoard | SimavrBoard:
    # Imported here, so that a port to an attached board of another kind does without Unicorn.
    from midge.boards import Simavr, load_board
    from midge.build.image import load_image
    from midge.run.emulator import EmulatedBoard
    from midge.run.simavr.board import SimavrBoard

    parts = urlsplit(url)
    boards = parse_qs(parts.query).get("board", [])
    if not parts.path or len(boards) != 1:
        raise SerialException(f"{url!r} is neither emu://NAME nor emu:///path/firmware.elf?board=BOARD")
    found = load_board(boards[0])
    kind = SimavrBoard if isinstance(found.core.emulator, Simavr) else EmulatedBoard
    return kind(load_image(Path(unquote(parts.path))), found)
