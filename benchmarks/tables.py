"""Markdown tables and their figures."""

from __future__ import annotations

from collections.abc import Sequence


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table, all columns but the first to the right."""
    marks = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (heads, marks, *lines)) + "\n"


def figure(value: int | None) -> str:
    """A figure with its thousands apart; nothing where there is none."""
    return "" if value is None else f"{value:,}"


def ratio(value: int, limit: int | None) -> str:
    """The part of a limit that was used, and whether it was missed."""
    if limit is None:
        return ""
    return f"{value / limit:.2f}" if value <= limit else f"{value / limit:.2f}, missed"
