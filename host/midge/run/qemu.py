"""A board that QEMU emulates, in a process of its own: the same firmware, its serial line on QEMU's standard input and
output.

QEMU knows no cycles. With `-icount` every instruction takes the same time, so the firmware's timer counts instructions.
Through QEMU's monitor (QMP, one socket) comes what only a debugger sees: how deep the stack was, and where the core
stands when it no longer answers.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import struct
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from midge.boards import Board, Qemu
from midge.build.image import Image
from midge.errors import BoardError, DeviceFaultError, MissingExtraError, ToolchainError
from midge.run.engine import PAINT
from midge.run.native import ProcessPort

_MONITOR_SECONDS = 30
_PC = re.compile(r"(?:R15=|PC=|\bpc\s+)([0-9a-fA-F]+)")
_PT_NULL, _PT_LOAD = 0, 1
_FAULT = "midge_fault"


class QemuBoard:
    """A running board; `port` is the host's end of its serial line.

    Raises (the constructor):
        MissingExtraError: the core's QEMU is not installed.
        BoardError: the board's core is not one of QEMU's, or this system cannot run it.
    """

    def __init__(self, image: Image, board: Board, work_dir: Path) -> None:
        self.image = image
        self.emulator = qemu_of(board)
        self._work_dir = work_dir.resolve()
        self._limit, self._top = (image.symbol(f"midge_stack_{end}").address for end in ("limit", "top"))
        elf, paint = self._work_dir / "twin.elf", self._work_dir / "stack-paint.bin"
        elf.write_bytes(_without_empty_segments(image.path.read_bytes()))
        paint.write_bytes(bytes([PAINT]) * (self._top - self._limit))
        self._monitor, theirs = socket.socketpair()
        self._monitor.settimeout(_MONITOR_SECONDS)
        self._answers = self._monitor.makefile("r", encoding="utf-8")
        with theirs, (self._work_dir / "qemu.txt").open("wb") as errors:
            process = subprocess.Popen(
                [*_command(self.emulator, elf), *_painting(paint, self._limit), *_monitor(theirs.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
                pass_fds=[theirs.fileno()],
            )
        self.port = ProcessPort(process, self._work_dir / "qemu.txt", self.emulator.command)
        self._asked = False

    def close(self) -> None:
        """End QEMU."""
        self.port.close()
        self._answers.close()
        self._monitor.close()

    def instructions(self, ticks: int, tick_hz: int) -> int:
        """What so many ticks of the firmware's timer are in instructions."""
        return round(ticks * 10**9 / tick_hz / (1 << self.emulator.icount_shift))

    def stack_high_water_bytes(self) -> int:
        """The most stack that was in use at any time since reset."""
        file = self._work_dir / "stack.bin"
        self._ask("memsave", val=self._limit, size=self._top - self._limit, filename=str(file))
        touched = np.flatnonzero(np.frombuffer(file.read_bytes(), np.uint8) != PAINT)
        return int(self._top - self._limit - touched[0]) if touched.size else 0

    def memory(self, address: int, count: int) -> bytes:
        """What a debugger would read there."""
        file = self._work_dir / "memory.bin"
        self._ask("memsave", val=address, size=count, filename=str(file))
        return file.read_bytes()

    def fault(self) -> DeviceFaultError | None:
        """What to say when the firmware does not answer: where the core has stopped, None when it has not."""
        found = _PC.search(self.monitor("info registers"))
        at = None if found is None else self.image.function_at(int(found.group(1), 16) & ~1)
        if at is None or at.name != _FAULT:
            return None
        return DeviceFaultError(
            "the core stopped: an exception (bad access, unaligned access, or undefined instruction)",
            hint="midge run on another core names the function; a host build with sanitizers shows memory errors",
        )

    def monitor(self, command: str) -> str:
        """What QEMU's monitor answers: registers ("info registers"), instructions at an address ("x/8i 0x1000")."""
        return str(self._ask("human-monitor-command", **{"command-line": command}))

    def _ask(self, command: str, **arguments: Any) -> Any:
        """One command of the monitor and its answer; events in between are of no interest."""
        try:
            if not self._asked:
                self._asked = True
                self._ask("qmp_capabilities")
            self._monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
            for line in self._answers:
                answer = json.loads(line)
                if "error" in answer:
                    raise ToolchainError(f"{self.emulator.command} refused {command}: {answer['error'].get('desc')}")
                if "return" in answer:
                    return answer["return"]
        except (OSError, ValueError) as error:
            raise ToolchainError(f"{self.emulator.command} does not answer: {error}") from error
        raise ToolchainError(f"{self.emulator.command} has ended")


def qemu_of(board: Board) -> Qemu:
    """The QEMU that the board's core names. Raises BoardError, MissingExtraError: it is not installed."""
    emulator = board.core.emulator
    if not isinstance(emulator, Qemu):
        raise BoardError(f"{board.name} is not emulated by QEMU", hint="its core's file names no QEMU")
    if sys.platform == "win32":
        raise BoardError(f"{board.name} cannot be emulated on Windows", hint="use Linux, macOS or WSL")
    if shutil.which(emulator.command) is None:
        raise MissingExtraError(
            f"{board.name} is emulated by {emulator.command}, which is not installed",
            hint=f"sudo apt install {emulator.package}",
        )
    return emulator


def _without_empty_segments(elf: bytes) -> bytes:
    """The ELF file without segments that only set memory aside: QEMU would clear it, and refuse to paint the stack."""
    patched = bytearray(elf)
    start, size, count = struct.unpack_from("<I10xHH", elf, 28)
    for at in range(start, start + size * count, size):
        kind, *_, file_bytes = struct.unpack_from("<5I", elf, at)
        if kind == _PT_LOAD and file_bytes == 0:
            struct.pack_into("<I", patched, at, _PT_NULL)
    return bytes(patched)


def _command(emulator: Qemu, elf: Path) -> list[str]:
    machine = [emulator.command, "-M", emulator.machine, *emulator.arguments, "-kernel", str(elf)]
    machine += _single_step(emulator.command) if emulator.single_step else ()
    quiet = ["-display", "none", "-monitor", "none", "-serial", "stdio", "-nic", "none"]
    return [*machine, *quiet, "-icount", f"shift={emulator.icount_shift},sleep=off"]


@lru_cache
def _single_step(command: str) -> tuple[str, ...]:
    """How this QEMU is told to translate one instruction at a time: the option was renamed in 8.1."""
    said = subprocess.run([command, "--version"], capture_output=True, text=True, errors="replace", timeout=60).stdout
    found = re.search(r"version (\d+)\.(\d+)", said)
    renamed = found is not None and (int(found[1]), int(found[2])) >= (8, 1)
    return ("-accel", "tcg,one-insn-per-tb=on") if renamed else ("-singlestep",)


def _painting(paint: Path, address: int) -> list[str]:
    return ["-device", f"loader,file={str(paint).replace(',', ',,')},addr={address:#x},force-raw=on"]


def _monitor(descriptor: int) -> list[str]:
    return ["-chardev", f"socket,id=monitor,fd={descriptor}", "-mon", "chardev=monitor,mode=control"]
