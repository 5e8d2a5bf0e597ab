"""Signals around foreign code that calls back into Python: an exception raised in a callback would be lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Keep a signal to stop that comes within the block, and deliver it at its end.

    Signals without a handler in Python are left as they are; outside the main thread all are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    previous = {number: handler for number in numbers if callable(handler := signal.getsignal(number))}
    held: list[tuple[int, FrameType | None]] = []
    for number in previous:
        signal.signal(number, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if held:
            previous[held[0][0]](*held[0])
