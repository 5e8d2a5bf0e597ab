"""Numbers and names as text: thousands, percentages, durations, and names that cannot harm a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

_EIGHTHS = " ▏▎▍▌▋▊▉"


def printable(text: str, ascii_only: bool = False) -> str:
    """`text` without control characters: layer names come from files of strangers."""
    safe = "".join(c if c.isprintable() else "?" for c in text)
    return safe.encode("ascii", "replace").decode() if ascii_only else safe


def shorten(text: str, width: int, ascii_only: bool = False) -> str:
    """`text` in at most `width` cells of a terminal, with a mark where its end was cut off."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + ("~" if ascii_only else "…")


def count(value: int | None) -> str:
    """1234567 as 1,234,567; a dash for no value."""
    return "-" if value is None else f"{value:,}"


def ratio(part: int | None, whole: int) -> str:
    """`part` per `whole` with two decimals; a dash where there is nothing to divide."""
    return "-" if part is None or not whole else f"{part / whole:.2f}"


def percent(part: int | None, whole: int | None) -> str:
    """The share of `part` in `whole`; a dash where it is not known."""
    return "-" if part is None or not whole else f"{100 * part / whole:.1f}%"


def duration(microseconds: float) -> str:
    """Microseconds in the unit that leaves one to three digits before the point."""
    for limit, unit, factor in ((1e3, "us", 1.0), (1e6, "ms", 1e3)):
        if microseconds < limit:
            return f"{microseconds / factor:.4g} {unit}"
    return f"{microseconds / 1e6:.4g} s"


def bar(share: float, width: int, ascii_only: bool = False) -> str:
    """A bar of `share` (0 to 1) of `width` cells, in eighths of a cell where the terminal can draw them."""
    share = min(1.0, max(0.0, share))
    if ascii_only:
        return "#" * round(share * width)
    whole, eighths = divmod(round(share * width * 8), 8)
    return ("█" * whole + _EIGHTHS[eighths]).rstrip()


def fair_widths(wanted: Sequence[int], room: int) -> list[int]:
    """Widths of columns that want `wanted` cells and share `room`: who wants little gets it, the others share."""
    widths = [0] * len(wanted)
    left = room
    for place, column in enumerate(sorted(range(len(wanted)), key=lambda c: wanted[c])):
        widths[column] = max(1, min(wanted[column], left // (len(wanted) - place)))
        left -= widths[column]
    return widths
