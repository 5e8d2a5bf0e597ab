"""A board without the board: the ELF image runs in Unicorn, in this process, and counts every instruction and cycle.

The firmware sees its flash, its RAM, and one page of device registers (firmware/port/page/port.c). There are no
interrupts; it polls, and after some dozens of empty polls it is parked until there is input again. Flash cannot be
written, RAM cannot be executed, everything else is not there; the stack lies at the bottom of RAM. So stray accesses,
stack overflow and endless loops end in a DeviceFaultError that names the function.

Instruction counts are exact and equal from run to run. Cycles are those of the core's model (`midge.measure.timing`);
unaligned loads are found where they happen, from the registers at the entry of a block, and cost what the model says.
Not caught: one past the end inside RAM; the host build under sanitizers is for that.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from midge.boards import Board, Unicorn
from midge.build.image import Image
from midge.errors import BoardError, DeviceFaultError, ToolchainError
from midge.measure.timing import load_model, load_unaligned
from midge.run.costs import Call, Cost, Totals
from midge.run.emulator_hook import ACCESS, ACCESS_KINDS, BLOCK, DISCOVER, MARK, Counter, Stop
from midge.run.engine import NOWHERE, PAINT, contents, new_engine
from midge.run.faults import fault_message
from midge.run.instruction_sets import instruction_set, load_unicorn
from midge.run.interrupts import interrupts_held
from midge.run.line import FirmwareLine

DEFAULT_DEADLINE_CYCLES = 4_000_000_000
_SLICE_CYCLES = 200_000_000  # about a second; between slices Python can act on Ctrl-C
_IDLE_POLLS = 64
_OUTPUT_BYTES = 1 << 20


class EmulatedBoard(FirmwareLine):
    """A running board. `write` and `read` are the host's end of its serial line; time passes only inside `read` and
    `output_waiting`.

    `deadline_cycles`: how long the firmware may run without asking for input before it counts as an endless loop.

    Raises (the constructor):
        ToolchainError: the image has no code in this board's flash, or the native hook cannot be compiled.

    Raises (any method that runs the core):
        DeviceFaultError: the core stopped or did not come to an end; the board is dead until `reset`.
        MissingExtraError: unicorn or capstone is not installed.
    """

    def __init__(self, image: Image, board: Board, *, deadline_cycles: int = DEFAULT_DEADLINE_CYCLES) -> None:
        self.image = image
        self.board = board
        self._deadline_cycles = deadline_cycles
        cpu, model = board.twin.emulator, board.twin.timing.model
        if not isinstance(cpu, Unicorn) or model is None:
            raise BoardError(f"{board.name} is not emulated in this process", hint="midge boards lists those that are")
        self._kind, self._cpu = instruction_set(cpu.instruction_set), cpu.cpu
        self._block_costs, self._unaligned = load_model(model), load_unaligned(model)
        flash = range(board.twin.memory.flash_address, board.twin.memory.flash_address + board.flash_bytes)
        code = [s for s in image.sections if s.is_code and s.address in flash and s.address + s.bytes - 1 in flash]
        if not code:
            raise ToolchainError(f"{image.path.name} holds no code in the flash of {board.name}")
        self._code_start = min(s.address for s in code)
        self._code = contents(image, self._code_start, max(s.address + s.bytes for s in code))
        self._blocks = np.zeros(len(self._code) // 2 + 1, BLOCK)
        self._blocks["resumable"] = 1
        self._accesses = np.zeros(0, ACCESS)
        self._unchecked: dict[int, int] = {}
        self._output_buffer = (ctypes.c_uint8 * _OUTPUT_BYTES)()
        self._callbacks = (DISCOVER(self._discover), MARK(self._mark))
        self._watched: dict[int, str] = {}
        self._engine: Any = None
        self.reset()

    def reset(self) -> None:
        """As after power-on: RAM painted, counters and recorded calls cleared, both ends of the line empty."""
        self.close()
        self._input, self._output = bytearray(), bytearray()
        self._failure: BaseException | None = None
        self._bad_access: tuple[int, int] | None = None
        self._exception: str | None = None
        self._open_calls: dict[int, list[_OpenCall]] = {}
        self._calls: dict[str, list[Call]] = {name: [] for name in self._watched.values()}
        for field in ("entered", "total_instructions", "total_cycles", "marked"):
            self._blocks[field] = 0
        for address in self._watched:
            self._row(address)["marked"] = 1
        self._counter = self._new_counter()
        told = (self._counter, self._on_bad_access, self._on_exception)
        self._engine = new_engine(self._kind, self._cpu, self.image, self.board, *told)
        flash = self.board.twin.memory.flash_address
        stack, self._pc = self._kind.entry(contents(self.image, flash, flash + 8), flash)
        if stack is not None:
            self._engine.reg_write(self._kind.stack_pointer, stack)

    def close(self) -> None:
        """Give the emulator's memory back."""
        self._engine = None

    # The counters

    @property
    def instructions(self) -> int:
        """Instructions executed since reset, exact."""
        return int(self._counter.instructions)

    @property
    def cycles(self) -> int:
        """Cycles since reset, by the core's model."""
        return int(self._counter.cycles)

    @property
    def unaligned_loads(self) -> int:
        """Loads since reset that were not aligned and took longer for it."""
        return int(self._counter.unaligned)

    @property
    def unchecked_accesses(self) -> int:
        """Accesses since reset whose alignment is not known, because the same block had loaded their address."""
        return sum(count * int(self._row(address)["entered"]) for address, count in self._unchecked.items())

    def by_function(self) -> Mapping[str, Cost]:
        """What each function has cost since reset, without what it called; only those that ran."""
        return Totals.of(self._blocks).by_function(self.image, self._code_start)

    def watch(self, function: str) -> None:
        """Record each call of that function from now on; see `calls`.

        Raises:
            ToolchainError: the image has no such symbol.
        """
        address = self.image.symbol(function).address
        self._watched[address] = function
        self._calls.setdefault(function, [])
        self._row(address)["marked"] = 1

    def calls(self, function: str) -> tuple[Call, ...]:
        """The finished calls of a watched function since reset, in order."""
        return tuple(self._calls[function])

    def stack_high_water_bytes(self) -> int:
        """The most stack that was in use at any time since reset."""
        limit, top = (self.image.symbol(f"midge_stack_{end}").address for end in ("limit", "top"))
        stack = np.frombuffer(self.memory(limit, top - limit), np.uint8)
        touched = np.flatnonzero(stack != PAINT)
        return int(top - limit - touched[0]) if touched.size else 0

    def memory(self, address: int, count: int) -> bytes:
        """What a debugger would read there."""
        return bytes(self._engine.mem_read(address, count))

    # Running

    def _advance(self) -> bool:
        return self._run() is not Stop.IDLE

    def _run(self) -> Stop:
        """Let the core run until it waits for input or has filled the output buffer."""
        if self._failure is not None:
            raise self._failure
        deadline = self.cycles + self._deadline_cycles
        stop = Stop.DEADLINE
        while stop is Stop.DEADLINE and self.cycles < deadline:
            self._counter.deadline = min(deadline, self.cycles + _SLICE_CYCLES)
            stop = self._run_slice()
        if stop is Stop.DEADLINE:
            self._fail(f"no end within {self._deadline_cycles} cycles (an endless loop?)")
        return stop

    def _run_slice(self) -> Stop:
        counter = self._counter
        waiting = bytes(self._input)
        buffer = ctypes.create_string_buffer(waiting, len(waiting) + 1)
        counter.input, counter.input_bytes, counter.input_taken = ctypes.addressof(buffer), len(waiting), 0
        counter.stop, counter.empty_polls, counter.output_bytes = Stop.RUNNING, 0, 0
        error = 0
        try:
            with interrupts_held():
                self._engine.emu_start(self._pc | self._kind.mark, NOWHERE)
        except load_unicorn().UcError as failure:
            error = failure.errno
        finally:
            counter.input = None
        skipped = 0 if self._exception is None else self._kind.exception_skips
        self._pc = self._engine.reg_read(self._kind.pc) - skipped
        del self._input[: counter.input_taken]
        self._output += bytes(self._output_buffer[: counter.output_bytes])
        stop = Stop(counter.stop)
        if self._failure is not None:
            raise self._failure
        if error or stop not in (Stop.IDLE, Stop.FULL, Stop.DEADLINE):
            self._fail(self._what_happened(stop, error))
        return stop

    def _what_happened(self, stop: Stop, error: int) -> str:
        if stop is Stop.BAD_REGISTER:
            return f"access to device register {self._counter.bad_offset:#x}, which does not exist"
        if stop is Stop.OUTSIDE:
            return "jump to what is not code"
        if stop is Stop.UNALIGNED:
            return "an instruction that needs a word-aligned address (LDM, STM, LDRD, STRD, VLDR, VSTR) has another"
        return fault_message(
            error,
            bad_access=self._bad_access,
            exception=self._exception,
            stack_pointer=self._engine.reg_read(self._kind.stack_pointer),
            stack_limit=self.image.symbol("midge_stack_limit").address,
        )

    def _fail(self, what: str) -> None:
        """Raise the fault, and keep it: nothing runs on this board until it is reset."""
        place = self.image.describe(self._pc)
        if self.image.function_at(self._pc) is None:
            place += f", come from {self.image.describe(self._came_from())}"
        self._failure = DeviceFaultError(
            f"the core stopped: {what}, in {place}",
            hint="a host build with sanitizers shows memory errors at their source",
        )
        raise self._failure

    def _came_from(self) -> int:
        """The block that jumped to where there is no function; the return address where that is not known."""
        if self._counter.last:
            row = (self._counter.last - self._blocks.ctypes.data) // BLOCK.itemsize
            return int(self._code_start + 2 * row)
        return int(self._engine.reg_read(self._kind.link)) & ~1

    # What the engine calls

    def _discover(self, address: int, size: int) -> int:
        with self._keeping_failure() as kept:
            at = address - self._code_start
            cost = self._block_costs(self._code[at : at + size], address)
            row = self._row(address)
            row["bytes"], row["instructions"] = size, cost.instructions
            row["next_cycles"], row["taken_cycles"] = cost.next_cycles, cost.taken_cycles
            self._find_accesses(row, address, size)
            if cost.ends_in_it and at + size < len(self._code):
                # Writing the program counter would lose the state of the IT block.
                self._row(address + size)["resumable"] = 0
        return kept.ok

    def _find_accesses(self, row: Any, address: int, size: int) -> None:
        """Tell the hook which accesses of a block may be unaligned."""
        at = address - self._code_start
        found, self._unchecked[address] = self._kind.accesses(self._code[at : at + size], address)
        row["first_access"], row["accesses"] = len(self._accesses), len(found)
        rows = np.zeros(len(found), ACCESS)
        for made, access in zip(rows, found, strict=True):
            made["constant"], made["kind"] = access.constant, ACCESS_KINDS[access.kind]
            for place, (register, factor) in enumerate(access.registers):
                made["registers"][place], made["factors"][place] = self._kind.register_number(register), factor
        self._accesses = np.concatenate((self._accesses, rows))
        self._counter.accesses = self._accesses.ctypes.data

    def _mark(self, address: int) -> int:
        with self._keeping_failure() as kept:
            now, totals = Cost(self.instructions, self.cycles), Totals.of(self._blocks)
            stack = self._engine.reg_read(self._kind.stack_pointer)
            self._finish_calls(address, stack, now, totals)
            returns_to = self._engine.reg_read(self._kind.link) & ~1
            if address in self._watched and 0 <= returns_to - self._code_start < len(self._code):
                opened = _OpenCall(self._watched[address], stack, now, totals)
                self._open_calls.setdefault(returns_to, []).append(opened)
                self._row(returns_to)["marked"] = 1
        return kept.ok

    def _finish_calls(self, address: int, stack: int, now: Cost, totals: Totals) -> None:
        """Record the calls that have returned: here, with the stack where it was. Tail calls return together, a
        recursive one alone."""
        waiting = self._open_calls.pop(address, [])
        for call in waiting:
            if call.stack == stack:
                shares = (totals - call.totals).by_function(self.image, self._code_start)
                self._calls[call.function].append(Call(now - call.cost, shares))
        still = [call for call in waiting if call.stack != stack]
        if still:
            self._open_calls[address] = still
        self._row(address)["marked"] = int(address in self._watched or bool(still))

    def _on_bad_access(self, kind: int, address: int) -> None:
        self._bad_access = (kind, address)

    def _on_exception(self, number: int) -> None:
        self._exception = self._kind.exceptions.get(number, f"exception {number}")

    @contextmanager
    def _keeping_failure(self) -> Iterator[_Kept]:
        """Exceptions cannot cross the engine's C frames: keep them, and raise when the engine has stopped."""
        kept = _Kept()
        try:
            yield kept
        except BaseException as failure:
            self._failure = failure
            kept.ok = 0

    def _row(self, address: int) -> Any:
        return self._blocks[(address - self._code_start) // 2]

    def _new_counter(self) -> Counter:
        counter = Counter()
        counter.blocks = self._blocks.ctypes.data
        counter.code_start, counter.code_bytes = self._code_start, len(self._code)
        counter.accesses = self._accesses.ctypes.data
        counter.halfword_cycles = self._unaligned.halfword
        counter.word_at_halfword_cycles = self._unaligned.word_at_halfword
        counter.word_at_byte_cycles = self._unaligned.word_at_byte
        counter.output, counter.output_size = ctypes.addressof(self._output_buffer), _OUTPUT_BYTES
        counter.empty_polls_limit = _IDLE_POLLS
        counter.discover, counter.mark = self._callbacks
        return counter


@dataclass
class _Kept:
    ok: int = 1


@dataclass(frozen=True)
class _OpenCall:
    """A watched function that has not returned yet: the stack pointer and the counters at its entry."""

    function: str
    stack: int
    cost: Cost
    totals: Totals
