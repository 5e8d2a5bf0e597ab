"""How the command behaves on its system: signals end it tidily, and no letter stops what it prints."""

from __future__ import annotations

import codecs
import io
import signal
import sys

_SURROGATE = 0xDC00
# A closed terminal, and what job runners and `timeout` send.
_ENDS = ("SIGHUP", "SIGTERM")


def behave() -> None:
    """Make SIGTERM and SIGHUP unwind as Ctrl-C does, and let no letter stop what is printed."""
    for name in _ENDS:
        number = getattr(signal, name, None)
        # Who said `nohup` wants it ignored.
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _leave)
    codecs.register_error("midge-terminal", _printable)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="midge-terminal")


def _leave(number: int, _: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second one would stop the tidying up
    raise SystemExit(128 + number)


def _printable(problem: UnicodeError) -> tuple[bytes, int]:
    """Bytes of a file's name as they came, a question mark for a letter that the terminal does not have."""
    assert isinstance(problem, UnicodeEncodeError)
    codes = [ord(letter) for letter in problem.object[problem.start : problem.end]]
    escaped = range(_SURROGATE + 0x80, _SURROGATE + 0x100)
    return bytes(code - _SURROGATE if code in escaped else ord("?") for code in codes), problem.end
