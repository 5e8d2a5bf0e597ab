"""What commands say on stderr: errors, notes and progress bars. Nothing here writes to stdout but `out`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from midge.errors import MidgeError
from midge.progress import count

T = TypeVar("T")

_PIPE_WIDTH = 200


class _Results(Console):
    """A console that leaves it to `main` what a reader who has gone away means: rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        """Raises BrokenPipeError."""
        raise BrokenPipeError


def out() -> Console:
    """Where results go: stdout; plain text, and lines as long as they are, when it is not a terminal."""
    return _Results(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def talk(message: str) -> None:
    """One line for people."""
    _errors().print(_clean(message))


def _errors() -> Console:
    """Stderr; what is said there holds names of strangers, and none of it is markup."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def _clean(message: str) -> str:
    """Without what could command a terminal; letters and bytes of file names stay."""
    return "".join(c if c.isprintable() or c in "\n\t" or "\udc80" <= c <= "\udcff" else "?" for c in message)


def complain(error: MidgeError) -> None:
    """An error as a person should read it."""
    console = _errors()
    console.print("midge:", style="bold red", end=" ")
    console.print(_clean(error.message))
    if error.hint:
        console.print("  try:", style="bold", end=" ")
        console.print(_clean(error.hint))


@contextmanager
def until_stopped() -> Iterator[None]:
    """Around what runs until somebody ends it: Ctrl-C and a polite `kill` are the way to."""

    def stop(*_: object) -> None:
        # An impatient second one would leave the emulator running.
        for number in previous:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    # SIGINT too: a shell that starts something in the background has it ignored.
    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        talk("stopped")
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def show_progress(items: Iterable[T], what: str, /) -> Iterable[T]:
    """A bar on a terminal, nothing elsewhere. For loops under a handful of items there is nothing to show."""
    total = count(items)
    console = Console(stderr=True)
    if not console.is_terminal or (total is not None and total < 2):
        yield from items
        return
    columns: Sequence[TextColumn | BarColumn | MofNCompleteColumn | TimeRemainingColumn] = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task(what, total=total)
        for item in items:
            yield item
            bars.advance(task)
