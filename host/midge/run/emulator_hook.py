"""The emulator's block hook, a C function: compiled once for this computer, and its structs as Python sees them."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from enum import IntEnum
from functools import lru_cache
from pathlib import Path

import numpy as np

from midge.build.toolchain import Toolchain, find_host_compiler
from midge.cache import cache_dir
from midge.errors import InternalError, ToolchainError

_SOURCE = Path(__file__).with_suffix(".c")
_FLAGS = ("-std=c11", "-O2", "-shared", "-fPIC", "-fvisibility=hidden")

BLOCK = np.dtype(
    [(name, np.uint32) for name in ("bytes", "instructions", "next_cycles", "taken_cycles", "marked", "resumable")]
    + [(name, np.uint32) for name in ("first_access", "accesses")]
    + [(name, np.uint64) for name in ("entered", "total_instructions", "total_cycles")]
)
"""One row for every address at which a block can begin; `block` in emulator_hook.c."""

ACCESS = np.dtype([("registers", np.uint16, 2), ("factors", np.uint8, 2), ("constant", np.uint8), ("kind", np.uint8)])
"""An access that may be unaligned; `access` in emulator_hook.c."""

ACCESS_KINDS = {"halfword": 0, "word": 1, "strict": 2}
"""`enum kind` in emulator_hook.c."""


class Stop(IntEnum):
    """Why the hook stopped the engine; `enum stop` in emulator_hook.c."""

    RUNNING = 0
    IDLE = 1
    FULL = 2
    DEADLINE = 3
    BAD_REGISTER = 4
    OUTSIDE = 5
    UNALIGNED = 6
    FAILED = 7


DISCOVER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32, ctypes.c_uint32)
MARK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32)


class Counter(ctypes.Structure):
    """`counter` in emulator_hook.c, field by field."""

    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("cycles", "instructions", "deadline")),
        ("blocks", ctypes.c_void_p),
        *((name, ctypes.c_uint32) for name in ("code_start", "code_bytes")),
        ("last", ctypes.c_void_p),
        ("last_end", ctypes.c_uint64),
        ("accesses", ctypes.c_void_p),
        ("unaligned", ctypes.c_uint64),
        *((name, ctypes.c_uint32) for name in ("halfword_cycles", "word_at_halfword_cycles", "word_at_byte_cycles")),
        ("last_penalty", ctypes.c_uint32),
        ("input", ctypes.c_void_p),
        ("output", ctypes.c_void_p),
        *((name, ctypes.c_uint32) for name in ("input_bytes", "input_taken", "output_size", "output_bytes")),
        *((name, ctypes.c_uint32) for name in ("empty_polls", "empty_polls_limit")),
        *((name, ctypes.c_uint32) for name in ("stop", "bad_offset", "ticks_high", "reserved")),
        ("stop_engine", ctypes.c_void_p),
        ("read_register", ctypes.c_void_p),
        ("discover", DISCOVER),
        ("mark", MARK),
    )


@lru_cache
def load_hook() -> ctypes.CDLL:
    """The compiled hook, from the user's cache folder or compiled now.

    Raises:
        ToolchainError, MissingExtraError: it has to be compiled and cannot be.
    """
    compiler = find_host_compiler()
    content = _SOURCE.read_bytes() + repr((compiler.version, _FLAGS, sys.platform, platform.machine())).encode()
    name = f"emulator_hook-{hashlib.sha256(content).hexdigest()[:16]}{_suffix()}"
    library = cache_dir() / name
    if not library.is_file():
        _compile(compiler, library)
    hook = ctypes.CDLL(str(library))
    hook.midge_hook_sizes.restype = ctypes.c_uint32
    if hook.midge_hook_sizes() != ctypes.sizeof(Counter) << 16 | BLOCK.itemsize:
        raise InternalError("the structs of emulator_hook.c and emulator_hook.py differ")
    return hook


def _compile(compiler: Toolchain, library: Path) -> None:
    """Compile beside the final place and move it there, so that two processes at once do no harm."""
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        made = Path(folder) / library.name
        command = [*compiler.command, *compiler.flags, *_FLAGS, str(_SOURCE), "-o", str(made)]
        environment = {"ZIG_LOCAL_CACHE_DIR": folder, **os.environ}
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment)
        if done.returncode:
            raise ToolchainError(
                f"{compiler.name} could not compile the emulator's hook:\n" + done.stderr[:2000],
                hint="set MIDGE_HOST_COMPILER to another compiler: gcc, clang or zig",
            )
        os.replace(made, library)


def _suffix() -> str:
    return {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
