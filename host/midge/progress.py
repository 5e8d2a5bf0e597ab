"""How long stages tell that they advance: a function that wraps what they iterate over."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Called with a sized iterable and what is being done; yields the items on."""

    def __call__(self, items: Iterable[T], what: str, /) -> Iterable[T]:
        """The same items, shown as they go by."""


def silent(items: Iterable[T], what: str, /) -> Iterable[T]:
    """Shows nothing."""
    return items


def count(items: Iterable[object]) -> int | None:
    """How many items there are, where that is known."""
    return len(items) if isinstance(items, Sized) else None
