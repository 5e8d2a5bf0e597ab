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


def out() -> Console:
    """Where results go: stdout; plain text, and lines as long as they are, when it is not a terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def talk(message: str) -> None:
    """One line for people."""
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(message)


def complain(error: MidgeError) -> None:
    """An error as a person should read it."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    console.print("midge:", style="bold red", end=" ")
    console.print(error.message)
    if error.hint:
        console.print("  try:", style="bold", end=" ")
        console.print(error.hint)


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
