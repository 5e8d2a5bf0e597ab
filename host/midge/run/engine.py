"""Unicorn as a board: its memories, its device page, and the native hooks in it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from midge.boards import Board
from midge.build.image import Image
from midge.errors import MissingExtraError
from midge.run.emulator_hook import Counter, load_hook

PAINT = 0xA5
"""What RAM is filled with at reset."""
NOWHERE = 0xFFFFFFFE
"""An address that code is never fetched from."""
_PAGE = 4096
_SYSTEM_CONTROL = 0xE000E000  # Armv7-M B3.2: plain memory here, for CPACR


def new_engine(
    image: Image,
    board: Board,
    counter: Counter,
    on_bad_access: Callable[[int, int], None],
    on_exception: Callable[[int], None],
) -> Any:
    """A `unicorn.Uc` with the image in flash, as before reset.

    The hooks count into `counter`, which must outlive the engine. `on_bad_access(kind, address)` hears of an access
    that is refused, `on_exception(number)` of an exception, before the engine stops.
    """
    unicorn, memory = load_unicorn(), board.memory
    # Not UC_MODE_MCLASS: it would make every core a Cortex-M33.
    engine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
    engine.ctl_set_cpu_model(getattr(registers(), f"UC_CPU_ARM_{board.core.emulator.cpu}"))
    read, write, execute = unicorn.UC_PROT_READ, unicorn.UC_PROT_WRITE, unicorn.UC_PROT_EXEC
    engine.mem_map(memory.flash_address, _pages(board.flash_bytes), read | execute)
    engine.mem_map(memory.ram_address, _pages(board.ram_bytes), read | write)
    engine.mem_map(_SYSTEM_CONTROL, _PAGE, read | write)
    engine.mem_write(
        memory.flash_address, contents(image, memory.flash_address, memory.flash_address + board.flash_bytes)
    )
    engine.mem_write(memory.ram_address, bytes([PAINT]) * board.ram_bytes)

    def refused(engine: Any, kind: int, address: int, size: int, value: int, data: object) -> bool:
        on_bad_access(kind, address)
        return False

    def interrupted(engine: Any, number: int, data: object) -> None:
        on_exception(number)
        engine.emu_stop()

    engine.hook_add(unicorn.UC_HOOK_MEM_INVALID, refused)
    engine.hook_add(unicorn.UC_HOOK_INTR, interrupted)
    _add_native_hooks(engine, counter, memory.device_address)
    return engine


def _add_native_hooks(engine: Any, counter: Counter, device_address: int) -> None:
    """Through ctypes, since Unicorn's own binding takes Python functions only. Memory hooks would be wrong here: they
    damage the IT state of M-profile cores (Unicorn 2.1)."""
    library, hook = _library(), load_hook()
    counter.stop_engine = ctypes.cast(library.uc_emu_stop, ctypes.c_void_p).value
    counter.read_register = ctypes.cast(library.uc_reg_read, ctypes.c_void_p).value
    user, handle = ctypes.addressof(counter), ctypes.c_size_t()
    block, read, write = (
        ctypes.cast(function, ctypes.c_void_p)
        for function in (hook.midge_hook_block, hook.midge_hook_read, hook.midge_hook_write)
    )
    statuses = (
        library.uc_hook_add(engine._uch, ctypes.byref(handle), load_unicorn().UC_HOOK_BLOCK, block, user, 1, 0),
        library.uc_mmio_map(engine._uch, device_address, _PAGE, read, user, write, user),
    )
    for status in statuses:
        if status != load_unicorn().UC_ERR_OK:
            raise load_unicorn().UcError(status)


def contents(image: Image, start: int, end: int) -> bytes:
    """What the image puts at start..end; 0xFF, erased flash, where it puts nothing."""
    memory = bytearray(b"\xff" * (end - start))
    for segment in image.segments:
        low, high = max(start, segment.address), min(end, segment.address + len(segment.data))
        if low < high:
            memory[low - start : high - start] = segment.data[low - segment.address : high - segment.address]
    return bytes(memory)


def load_unicorn() -> Any:
    """The unicorn package.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import unicorn
    except ImportError as error:
        raise MissingExtraError("emulation needs the unicorn package", hint='pip install "midge[emulator]"') from error
    return unicorn


def registers() -> Any:
    """Unicorn's numbers of Arm registers and cores."""
    from unicorn import arm_const

    return arm_const


def register_number(name: str) -> int:
    """Unicorn's number of the core register that capstone calls `name`."""
    return int(getattr(registers(), f"UC_ARM_REG_{name.upper()}"))


def _pages(count: int) -> int:
    return -(-count // _PAGE) * _PAGE


def _library() -> Any:
    """Unicorn's C library as its binding has loaded it."""
    from unicorn.unicorn_py3.unicorn import uclib

    return uclib
