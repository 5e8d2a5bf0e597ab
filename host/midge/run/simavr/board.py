"""An AVR board without the board: the image runs in simavr, in a process of its own, and every cycle is counted.

As on the other emulated boards time passes only while the host reads: the firmware is run until it has sent enough or
waits for input. The stack has all the RAM that is left, and its lowest address is known to the emulator; so an
overflow, an access where there is no memory, a jump to what is not code, a reset by the watchdog and an endless loop
end in a DeviceFaultError that names the function.
"""

from __future__ import annotations

import struct
import subprocess
import tempfile
from dataclasses import dataclass
from enum import IntEnum

from midge.boards import Board, Simavr
from midge.build.image import Image, Symbol
from midge.errors import BoardError, DeviceFaultError, DoesNotFitError, ToolchainError
from midge.run.costs import Call, Cost
from midge.run.engine import contents
from midge.run.line import FirmwareLine
from midge.run.simavr.faults import fault_words
from midge.run.simavr.runner import find_runner

DEFAULT_DEADLINE_CYCLES = 4_000_000_000
_SLICE_CYCLES = 40_000_000  # about a second; between slices Python can act on Ctrl-C
_DATA_SPACE = 0x800000  # where the ELF format has the data addresses
_CLOSE_SECONDS = 5
_TWO_BYTE_FLASH = 2**17  # up to here a return address has two bytes, then three


class Stop(IntEnum):
    """Why the core stopped; `midge_stop` in core.h."""

    IDLE = 1
    FULL = 2
    DEADLINE = 3
    STACK = 4
    NO_CODE = 5
    RESTARTED = 6
    WATCHDOG = 7
    CRASHED = 8
    HALTED = 9
    ASLEEP = 10


@dataclass(frozen=True)
class _State:
    """What a run has answered."""

    stop: Stop
    total: Cost
    pc: int
    stack_pointer: int
    lowest_stack_pointer: int
    said: str


class SimavrBoard(FirmwareLine):
    """A running board. `write` and `read` are the host's end of its serial line; time passes only inside `read` and
    `output_waiting`.

    `deadline_cycles`: how long the firmware may run without asking for input before it counts as an endless loop.

    Raises (the constructor):
        MissingExtraError: libsimavr or a C compiler is not installed.
        BoardError: the board's core is not one of simavr's.
        DoesNotFitError: the image is larger than the chip's memories.

    Raises (any method that runs the core):
        DeviceFaultError: the core stopped or did not come to an end; the board is dead until `reset`.
    """

    def __init__(self, image: Image, board: Board, *, deadline_cycles: int = DEFAULT_DEADLINE_CYCLES) -> None:
        emulator = board.twin.emulator
        if not isinstance(emulator, Simavr):
            raise BoardError(f"{board.name} is not emulated by simavr", hint="midge boards lists those that are")
        self.image = image
        self.board = board
        self._mcu, self._mcu_flash = emulator.mcu, emulator.flash_bytes
        self._deadline_cycles = deadline_cycles
        self._flash = contents(image, 0, max(s.address + len(s.data) for s in image.segments) + 1 & ~1)
        self._limit, self._top = (image.symbol(f"midge_stack_{end}").address for end in ("limit", "top"))
        if len(self._flash) > emulator.flash_bytes or self._top - _DATA_SPACE > emulator.data_bytes:
            raise DoesNotFitError(f"the firmware is larger than an {emulator.mcu}", hint="a board with more memory")
        self._functions = _functions(image)
        self._watched: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.reset()

    def reset(self) -> None:
        """As after power-on: counters and recorded calls cleared, both ends of the line empty."""
        self.close()
        self._input, self._output = bytearray(), bytearray()
        self._failure: DeviceFaultError | None = None
        self._calls: list[Call] = []
        self._state = _State(Stop.IDLE, Cost(0, 0), 0, 0, self._top - _DATA_SPACE - 1, "")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [str(find_runner()), self._mcu, str(self.board.clock_hz), "--measure"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        starts = [address | int(name is None) for address, name in self._functions]
        self._tell(b"L", struct.pack("<I", len(self._flash)), self._flash, struct.pack("<I", len(starts)))
        self._tell(struct.pack(f"<{len(starts)}IH", *starts, self._limit - _DATA_SPACE))
        if self._watched is not None:
            self.watch(self._watched)

    def close(self) -> None:
        """End the emulator. Closing twice is harmless."""
        if self._process is None:
            return
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._process.kill()
        self._process.wait(_CLOSE_SECONDS)
        self._errors.close()
        self._process = None

    # The counters

    @property
    def instructions(self) -> int:
        """Instructions executed since reset, exact."""
        return self._state.total.instructions

    @property
    def cycles(self) -> int:
        """Cycles since reset, exact."""
        return self._state.total.cycles

    def watch(self, function: str) -> None:
        """Record each call of that function from now on, of no other; see `calls`. Raises ToolchainError where the
        image has no such symbol."""
        self._watched = function
        self._tell(b"W", struct.pack("<I", self.image.symbol(function).address))

    def calls(self, function: str) -> tuple[Call, ...]:
        """The finished calls of the watched function since reset, in order."""
        if function != self._watched:
            return ()
        self._tell(b"C")
        (count,) = self._take("<I")
        for _ in range(count):
            cycles, instructions, ran = self._take("<QQI")
            rows = [self._take("<IQQ") for _ in range(ran)]
            shares = {self._functions[row[0]][1] or "": Cost(row[2], row[1]) for row in rows}
            self._calls.append(Call(Cost(instructions, cycles), shares))
        return tuple(self._calls)

    def stack_high_water_bytes(self) -> int:
        """The most stack that was in use at any time since reset."""
        return self._top - _DATA_SPACE - 1 - self._state.lowest_stack_pointer

    def memory(self, address: int, count: int) -> bytes:
        """Bytes of data memory as they are now; the address is a symbol's."""
        self._tell(b"M", struct.pack("<II", address & ~_DATA_SPACE, count))
        return self._take_bytes(count)

    # The core

    def _advance(self) -> bool:
        return self._run() is not Stop.IDLE

    def _run(self) -> Stop:
        """Run until the firmware waits for input or has filled the output buffer."""
        if self._failure is not None:
            raise self._failure
        deadline = self.cycles + self._deadline_cycles
        stop = Stop.DEADLINE
        while stop is Stop.DEADLINE and self.cycles < deadline:
            stop = self._run_slice(min(deadline, self.cycles + _SLICE_CYCLES))
        if stop not in (Stop.IDLE, Stop.FULL):
            self._failure = self._fault(stop)
            raise self._failure
        return stop

    def _run_slice(self, deadline: int) -> Stop:
        self._tell(b"R", struct.pack("<QI", deadline, len(self._input)), bytes(self._input))
        self._input.clear()
        stop, cycles, instructions, pc, sp, lowest, sent = self._take("<BQQIHHI")
        self._output += self._take_bytes(sent)
        (said,) = self._take("<I")
        text = self._take_bytes(said).decode("utf-8", "replace")
        self._state = _State(Stop(stop), Cost(instructions, cycles), pc, sp, lowest, text)
        return self._state.stop

    def _fault(self, stop: Stop) -> DeviceFaultError:
        state = self._state
        what = fault_words(stop.name, state.said, state.stack_pointer, self._limit - _DATA_SPACE, self._deadline_cycles)
        place = self.image.describe(state.pc)
        if self.image.function_at(state.pc) is None and (caller := self._caller()) is not None:
            place += f", called from {self.image.describe(caller)}"
        hint = "a host build with sanitizers shows memory errors at their source"
        if "stack overflow" in what:
            hint = "a smaller network, or a board with more RAM (midge fit)"
        return DeviceFaultError(f"the core stopped: {what}, in {place}", hint=hint)

    def _caller(self) -> int | None:
        """The last call whose return address is still on the stack; None where there is none to be seen."""
        top, sp = self._top - _DATA_SPACE, self._state.stack_pointer
        if not 0 < sp < top:
            return None
        stack = self.memory(sp + 1, top - sp - 1)
        size = 2 if self._mcu_flash <= _TWO_BYTE_FLASH else 3
        for at in range(len(stack) - size + 1):
            back = 2 * int.from_bytes(stack[at : at + size], "big")
            if _is_call(self._flash[max(0, back - 4) : back]) and self.image.function_at(back - 2) is not None:
                return back - 2
        return None

    # The pipe

    def _tell(self, *parts: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(b"".join(parts))
            self._process.stdin.flush()
        except OSError as error:
            raise self._ended() from error

    def _take_bytes(self, count: int) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        data = self._process.stdout.read(count)
        if len(data) < count:
            raise self._ended()
        return data

    def _take(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(layout, self._take_bytes(struct.calcsize(layout)))

    def _ended(self) -> ToolchainError:
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return ToolchainError("simavr has ended" + (f": {said[-1]}" if said else ""))


def _functions(image: Image) -> list[tuple[int, str | None]]:
    """Where each function begins, and its name; None where something begins that is no code."""
    found: dict[int, str | None] = {}
    for section in image.sections:
        if section.address < _DATA_SPACE:
            found[section.address + section.bytes] = None
    for section in image.sections:
        if section.address < _DATA_SPACE:
            found[section.address] = section.name if section.is_code else None
    code = [s for s in image.sections if s.is_code]
    found |= {f.address: f.name for f in image.functions if any(_lies_in(f, s.address, s.bytes) for s in code)}
    return sorted(found.items())


def _is_call(code: bytes) -> bool:
    """Whether so many bytes of flash end with CALL, RCALL, ICALL or EICALL."""
    first, last = (int.from_bytes(code[at : at + 2], "little") for at in (0, 2))
    return first & 0xFE0E == 0x940E or last & 0xF000 == 0xD000 or last in (0x9509, 0x9519)


def _lies_in(symbol: Symbol, start: int, count: int) -> bool:
    return start <= symbol.address < start + count
