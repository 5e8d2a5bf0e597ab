"""Draws damage to files: the same number always gives the same damage.

`corrupted(data, number)` is what tests of hostile files share; `cases` goes round several files.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# Words at which readers trip: zero, ones, the edges of signed and unsigned, not-a-number, infinity, small and huge.
EXTREME_WORDS = (
    *(0, 1, 2, 4, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE),
    *(0x7FC00000, 0x7F800000, 0xFF800000, 0x00000001, 0x7F7FFFFF, 0x00800000, 0x10000, 0x1000000),
)
# Flatbuffers keep their tables around the constants: most damage goes to the first and last part of a file.
_STRUCTURE_BYTES = 8192


@dataclass(frozen=True)
class Case:
    """One damaged file: its number, the file it was, what was done to it, and its content."""

    number: int
    path: Path
    damage: str
    data: bytes

    def __str__(self) -> str:
        return f"case {self.number} ({self.path.name}, {self.damage})"


def cases(paths: Sequence[Path], numbers: Sequence[int] | range) -> Iterator[Case]:
    """The case of each number: the files in turn, each damaged in its own way."""
    contents = {path: path.read_bytes() for path in paths}
    for number in numbers:
        path = paths[number % len(paths)]
        damage, data = corrupted(contents[path], number)
        yield Case(number, path, damage, data)


def corrupted(data: bytes, number: int) -> tuple[str, bytes]:
    """What was done, and `data` after it: bits flipped, a piece or the end cut, words replaced, once or a few times."""
    draw = random.Random(number)
    kinds: tuple[tuple[str, Callable[[random.Random, bytearray], None]], ...] = (
        ("flipped", _flip),
        ("spliced", _splice),
        ("spliced", _splice),
        ("extreme", _extreme),
        ("extreme", _extreme),
        ("truncated", _truncate),
        ("cut", _cut),
    )
    name, damage = draw.choice(kinds)
    times = draw.choice((1, 1, 1, 2, 4, 16))
    result = bytearray(data)
    for _ in range(times):
        if len(result) > 8:
            damage(draw, result)
    return f"{name} x{times}", bytes(result)


def _position(draw: random.Random, data: bytearray, step: int) -> int:
    """Somewhere in the file, mostly near its ends, at a multiple of `step`, four bytes before the end at the latest."""
    last = len(data) - 4
    near = min(_STRUCTURE_BYTES, last)
    position = draw.choice((draw.randint(0, last), draw.randint(0, near), draw.randint(last - near, last)))
    return position - position % step


def _flip(draw: random.Random, data: bytearray) -> None:
    data[_position(draw, data, 1)] ^= 1 << draw.randrange(8)


def _splice(draw: random.Random, data: bytearray) -> None:
    target, source = _position(draw, data, 4), _position(draw, data, 4)
    data[target : target + 4] = data[source : source + 4]


def _extreme(draw: random.Random, data: bytearray) -> None:
    width, form = draw.choice(((4, "<I"), (2, "<H"), (1, "<B")))
    target = _position(draw, data, width)
    data[target : target + width] = struct.pack(form, draw.choice(EXTREME_WORDS) & ((1 << 8 * width) - 1))


def _truncate(draw: random.Random, data: bytearray) -> None:
    del data[draw.randrange(len(data)) :]


def _cut(draw: random.Random, data: bytearray) -> None:
    start = _position(draw, data, 4)
    del data[start : start + draw.choice((1, 4, 8, 64))]
