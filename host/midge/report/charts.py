"""Pictures of a report as numbers: what templates/report draws, in units of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from midge.report.figures import count, printable, shorten
from midge.report.record import ArenaBuffer, Flash, Ram, Report

_WIDTH, _HEIGHT = 1000, 300
_HUES = 8
# Room that a letter of a label takes, and the least box that holds one line.
_LETTER, _LINE = 7.5, 16
_TREND_WIDTH, _TREND_HEIGHT, _TREND_EDGE = 300, 80, 8


@dataclass(frozen=True)
class Part:
    """A part of a bar: `percent` of its length."""

    label: str
    bytes: int
    percent: float


@dataclass(frozen=True)
class Box:
    """A buffer in the picture of the arena; `hue` names its color, `words` are shown in full when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    hue: int
    label: str
    words: str


@dataclass(frozen=True)
class ArenaPicture:
    """The arena from bottom to top, the layers from left to right; `bound_y` is the least that any plan needs."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    bound_y: float
    layers: int
    bytes: int


@dataclass(frozen=True)
class Point:
    """A report on a trend."""

    x: float
    y: float
    words: str


@dataclass(frozen=True)
class Trend:
    """A figure over reports, oldest first; the picture's lower edge is the least of them, not zero."""

    name: str
    width: int
    height: int
    points: tuple[Point, ...]
    first: str
    last: str
    change: str

    @property
    def line(self) -> str:
        """The points as an SVG polyline has them."""
        return " ".join(f"{p.x:g},{p.y:g}" for p in self.points)


def flash_parts(flash: Flash) -> tuple[Part, ...]:
    """Flash by what uses it."""
    return _parts((("code", flash.code_bytes), ("constants", flash.const_bytes), ("harness", flash.harness_bytes)))


def ram_parts(ram: Ram) -> tuple[Part, ...]:
    """RAM by what uses it."""
    sizes = (
        ("arena", ram.arena_bytes),
        ("scratch", ram.scratch_bytes),
        ("static", ram.static_bytes),
        ("stack", ram.stack_bytes or 0),
        ("harness", ram.harness_bytes),
    )
    return _parts(sizes)


def _parts(sizes: Sequence[tuple[str, int]]) -> tuple[Part, ...]:
    total = sum(size for _, size in sizes) or 1
    return tuple(Part(label, size, round(100 * size / total, 3)) for label, size in sizes if size)


def arena_picture(report: Report) -> ArenaPicture | None:
    """The plan of the arena; None where the report has none, or there is nothing in it."""
    buffers = [buffer for buffer in report.arena or () if buffer.bytes]
    if not buffers or report.ram is None:
        return None
    layers = max(len(report.cycles.per_layer), max(buffer.last for buffer in buffers) + 1)
    total = max(report.ram.arena_bytes, max(buffer.offset + buffer.bytes for buffer in buffers))
    boxes = tuple(_box(buffer, n, layers, total) for n, buffer in enumerate(buffers))
    bound_y = round(_HEIGHT * (1 - report.ram.arena_lower_bound_bytes / total), 2)
    return ArenaPicture(_WIDTH, _HEIGHT, boxes, bound_y, layers, total)


def _box(buffer: ArenaBuffer, number: int, layers: int, total: int) -> Box:
    end = buffer.offset + buffer.bytes
    width = (buffer.last + 1 - buffer.first) * _WIDTH / layers
    height = buffer.bytes * _HEIGHT / total
    name = printable(buffer.name)
    kept = f"layers {buffer.first + 1} to {buffer.last + 1}"
    fits = height >= _LINE and width >= 3 * _LETTER
    return Box(
        x=round(buffer.first * _WIDTH / layers, 2),
        y=round(_HEIGHT * (1 - end / total), 2),
        width=round(width, 2),
        height=round(height, 2),
        hue=number % _HUES,
        label=shorten(name, int(width / _LETTER)) if fits else "",
        words=f"{name}: {count(buffer.bytes)} B at {count(buffer.offset)}, {kept}",
    )


def trend(name: str, unit: str, values: Sequence[tuple[str, float]]) -> Trend | None:
    """A figure of at least two reports, each with the name of its file; None where it never changed."""
    numbers = [value for _, value in values]
    least, most = min(numbers, default=0), max(numbers, default=0)
    if least == most:
        return None
    across = (_TREND_WIDTH - 2 * _TREND_EDGE) / (len(values) - 1)
    up = (_TREND_HEIGHT - 2 * _TREND_EDGE) / (most - least)
    points = tuple(
        Point(
            round(_TREND_EDGE + n * across, 2),
            round(_TREND_HEIGHT - _TREND_EDGE - (value - least) * up, 2),
            f"{source}: {_figure(value, unit)}",
        )
        for n, (source, value) in enumerate(values)
    )
    first, last = numbers[0], numbers[-1]
    return Trend(
        name, _TREND_WIDTH, _TREND_HEIGHT, points, _figure(first, unit), _figure(last, unit), _change(first, last, unit)
    )


def _figure(value: float, unit: str) -> str:
    text = f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"
    return f"{text} {unit}" if unit else text


def _change(first: float, last: float, unit: str) -> str:
    if unit == "%" or not first:
        return f"{last - first:+,.2f}{' points' if unit == '%' else ''}"
    return f"{100 * (last - first) / first:+.2f} %"
