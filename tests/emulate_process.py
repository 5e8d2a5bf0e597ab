"""`midge emulate` as a process of its own, for tests that need a port which other programs can open."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Whoever runs the tests in the background has SIGINT ignored; a program at a terminal has not.
_AT_A_TERMINAL = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
MIDGE = (sys.executable, "-c", f"{_AT_A_TERMINAL}; from midge.cli import main; main()")


@contextmanager
def emulate(model: Path, board: str, *arguments: object) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The port of the emulated board, and the process; it is stopped as Ctrl-C does, and must end well."""
    command = [*MIDGE, "emulate", str(model), "--board", board, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        port = process.stdout.readline().strip()
        assert port, process.stderr.read()
        yield port, process
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr.read().endswith("stopped\n")
    finally:
        if process.poll() is None:
            process.terminate()  # politely: it has an emulator to end
        process.communicate(timeout=60)
