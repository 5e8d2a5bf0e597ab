"""Remembers what was found for arrays: they are compared by their contents, which `functools.lru_cache` cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


class _Arguments:
    """Positional arguments of a call, equal to others of the same contents."""

    def __init__(self, values: tuple[object, ...]) -> None:
        self.values = values
        self.key = tuple(map(_key, values))

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Arguments) and self.key == other.key


def cached_by_arrays(maxsize: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keeps the results of a function of positional arguments: arrays, data classes of them, and what has a hash."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @lru_cache(maxsize=maxsize)
        def call(arguments: _Arguments) -> R:
            return function(*arguments.values)  # type: ignore[arg-type, call-arg]

        @wraps(function)
        def cached(*args: P.args, **kwargs: P.kwargs) -> R:
            assert not kwargs, "arguments are positional"
            return call(_Arguments(args))

        return cached

    return decorate


def _key(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if is_dataclass(value) and not isinstance(value, type):
        return type(value), *(_key(getattr(value, field.name)) for field in fields(value))
    return value
