"""A report for people: on a terminal of any width, or as plain text where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from midge.report.facts import Fact, check_facts, flash_facts, heading, ram_facts, time_facts
from midge.report.figures import printable
from midge.report.latency import latency_table
from midge.report.layers import layer_table
from midge.report.page import plain_text, print_page
from midge.report.record import Report

_WIDE = 70
_LABEL_WIDTH = 14
_FIGURE_WIDTH = 13


def print_report(report: Report, console: Console) -> None:
    """Print `report` in the console's width; where the console is no terminal, as plain text."""
    print_page(partial(_page, report), console)


def report_text(report: Report, width: int = 80, ascii_only: bool = False) -> str:
    """The report as plain text with no line longer than `width`."""
    return plain_text(partial(_page, report), width, ascii_only)


def _page(report: Report, width: int, ascii_only: bool) -> RenderableType:
    blocks: list[RenderableType] = [_heading(report, ascii_only), layer_table(report, width, ascii_only)]
    if table := latency_table(report, width, ascii_only):
        blocks.append(table)
    sections = (
        time_facts(report),
        flash_facts(report.flash),
        ram_facts(report.ram),
        check_facts(report.exact, report.accuracy),
    )
    blocks += [_facts(facts, width, ascii_only) for section in sections if (facts := tuple(section))]
    spaced = [part for block in blocks for part in (block, Text(""))]
    return Group(*spaced[:-1])


def _heading(report: Report, ascii_only: bool) -> Text:
    lines = heading(report)
    text = Text("\n".join(printable(line, ascii_only) for line in lines))
    text.stylize("bold", 0, len(lines[0]))
    return text


def _facts(facts: Sequence[Fact], width: int, ascii_only: bool) -> RenderableType:
    """Facts under each other: words beside the figure where there is room, else below it."""
    if width >= _WIDE:
        return _columns([(*_label_and_figure(fact), _words(fact, ascii_only)) for fact in facts])
    blocks: list[RenderableType] = []
    for fact in facts:
        blocks.append(_columns([_label_and_figure(fact)]))
        if fact.words:
            blocks.append(Padding(_words(fact, ascii_only), (0, 0, 0, 4)))
    return Group(*blocks)


def _label_and_figure(fact: Fact) -> tuple[Text, Text]:
    label = Text(f"  {fact.label}") if fact.is_part else Text(fact.label, style="bold")
    return label, Text(fact.figure, style=fact.style)


def _words(fact: Fact, ascii_only: bool) -> Text:
    return Text(printable(fact.words, ascii_only), style=fact.style)


def _columns(rows: Sequence[tuple[Text, ...]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(min_width=_LABEL_WIDTH, no_wrap=True)
    table.add_column(min_width=_FIGURE_WIDTH, justify="right", no_wrap=True)
    table.add_column()
    for row in rows:
        table.add_row(*row)
    return table
