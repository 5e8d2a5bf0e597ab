"""The program around libsimavr: compiled once on this computer, kept in the user's cache.

libsimavr is under the GPL (version 3), so nothing of it travels with midge in binary form.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

from midge.build.toolchain import Toolchain, find_host_compiler
from midge.cache import cache_dir
from midge.errors import BoardError, MissingExtraError, ToolchainError

PACKAGE = "libsimavr-dev"
"""Debian's package of the library and its headers."""
_FOLDER = Path(__file__).parent
_FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra")
_PROBE = '#include <simavr/sim_avr.h>\nint main(void) { return avr_make_mcu_by_name("") != 0; }\n'


@lru_cache
def find_runner() -> Path:
    """The program, from the user's cache folder or compiled now.

    Raises:
        MissingExtraError: there is no libsimavr, or no C compiler.
        ToolchainError: the compiler refuses the program.
        BoardError: this system cannot run it.
    """
    if sys.platform == "win32":
        raise BoardError("AVR boards cannot be emulated on Windows", hint="use Linux, macOS or WSL")
    compiler = find_host_compiler()
    sources = sorted(_FOLDER.glob("*.[ch]"))
    content = b"".join(path.read_bytes() for path in sources)
    content += repr((compiler.version, _FLAGS, platform.machine())).encode()
    program = cache_dir() / f"simavr_runner-{hashlib.sha256(content).hexdigest()[:16]}"
    if not program.is_file():
        _compile(compiler, [path for path in sources if path.suffix == ".c"], program)
    return program


def _compile(compiler: Toolchain, sources: list[Path], program: Path) -> None:
    """Compile beside the final place and move it there, so that two processes at once do no harm."""
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        made = Path(folder) / program.name
        done = _run(compiler, [*map(str, sources), "-lsimavr", "-o", str(made)], folder)
        if done.returncode:
            probe = Path(folder) / "probe.c"
            probe.write_text(_PROBE)
            if _run(compiler, [str(probe), "-lsimavr", "-o", str(made)], folder).returncode:
                raise MissingExtraError(
                    "AVR boards are emulated by libsimavr, which is not installed", hint=f"sudo apt install {PACKAGE}"
                )
            raise ToolchainError(
                f"{compiler.name} could not compile the program around libsimavr:\n" + done.stderr[:2000],
                hint="set MIDGE_HOST_COMPILER to another compiler: gcc, clang or zig",
            )
        os.replace(made, program)


def _run(compiler: Toolchain, arguments: list[str], folder: str) -> subprocess.CompletedProcess[str]:
    command = [*compiler.command, *compiler.flags, *_FLAGS, *arguments]
    environment = {"ZIG_LOCAL_CACHE_DIR": folder, **os.environ}
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment)
    except OSError as error:
        raise ToolchainError(f"{compiler.name} could not be started: {error}") from error
