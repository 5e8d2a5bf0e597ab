"""The table of layers: where the cycles of one inference go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from midge.report.figures import bar, count, fair_widths, percent, printable, ratio, shorten
from midge.report.record import Report

_BAR_WIDTH = 5
_WIDE = 70
# An unrolled network has thousands of layers: who reads the table wants those that cost most; --json has all.
_MOST_ROWS = 100
_COSTLIEST = 40


@dataclass(frozen=True)
class SpentRow:
    """One line of the table; `spent` are cycles, or instructions where there are no cycles."""

    name: str
    op: str
    kernel: str
    macs: int
    spent: int | None


def layer_table(report: Report, width: int, ascii_only: bool) -> Table:
    """The layers in at most `width` cells: a line each where there is room, else two; of very many the costliest.

    Shares are of the whole inference; what lies between the layers has a line of its own.
    """
    unit, total, rows = layer_rows(report, ascii_only)
    rows = _shortened(rows)
    table = _wide if width >= _WIDE else _narrow
    return table(rows, unit, total, width, ascii_only)


def layer_rows(report: Report, ascii_only: bool) -> tuple[str, int | None, list[SpentRow]]:
    """What was counted, the whole inference's count, and the lines without the total."""
    in_cycles = report.cycles.total is not None
    rows = [
        SpentRow(
            printable(layer.name, ascii_only),
            printable(layer.op, ascii_only),
            printable(layer.kernel if layer.packed is None else f"{layer.kernel} {layer.packed}", ascii_only),
            layer.macs,
            layer.cycles if in_cycles else layer.instructions,
        )
        for layer in report.cycles.per_layer
    ]
    total = report.cycles.total if in_cycles else report.instructions.total
    between = (total or 0) - sum(row.spent or 0 for row in rows)
    if between > 0 and any(row.spent is not None for row in rows):
        rows.append(SpentRow("(between layers)", "", "", 0, between))
    return ("cycles" if in_cycles else "instructions"), total, rows


def _shortened(rows: list[SpentRow]) -> list[SpentRow]:
    """The costliest in their order, and a line for all others; all where they are not too many."""
    if len(rows) <= _MOST_ROWS:
        return rows
    by_cost = sorted(range(len(rows)), key=lambda place: -(rows[place].spent or 0))
    shown = [rows[place] for place in sorted(by_cost[:_COSTLIEST])]
    others = [rows[place] for place in by_cost[_COSTLIEST:]]
    spent = [row.spent for row in others if row.spent is not None]
    name = f"({count(len(others))} cheaper layers; --json has all)"
    return [*shown, SpentRow(name, "", "", sum(row.macs for row in others), sum(spent) if spent else None)]


def _wide(rows: list[SpentRow], unit: str, total: int | None, width: int, ascii_only: bool) -> Table:
    macs = sum(row.macs for row in rows)
    texts = [
        ("layer", "operator", "kernel"),
        *((row.name, row.op, row.kernel) for row in rows),
        ("total", "", ""),
    ]
    numbers = [
        ("MACs", unit, "/MAC", "share"),
        *((count(r.macs), count(r.spent), ratio(r.spent, r.macs), percent(r.spent, total)) for r in rows),
        (count(macs), count(total), ratio(total, macs), percent(total, total)),
    ]
    bars = ["", *(bar((row.spent or 0) / (total or 1), _BAR_WIDTH, ascii_only) for row in rows), ""]
    gaps = len(texts[0]) + len(numbers[0])
    room = width - gaps - sum(_column_widths(numbers)) - _BAR_WIDTH
    widths = fair_widths(_column_widths(texts), room)
    fitted = [tuple(shorten(text, most, ascii_only) for text, most in zip(line, widths)) for line in texts]
    return _table("lllrrrrl", [(*line, *figures, drawn) for line, figures, drawn in zip(fitted, numbers, bars)])


def _narrow(rows: list[SpentRow], unit: str, total: int | None, width: int, ascii_only: bool) -> Table:
    macs = sum(row.macs for row in rows)
    texts = [
        ("layer", "operator kernel"),
        *((row.name, f"{row.op} {row.kernel}") for row in rows),
        ("total", ""),
    ]
    numbers = [
        (f"{unit}\nMACs", "share\n/MAC"),
        *((f"{count(r.spent)}\n{count(r.macs)}", f"{percent(r.spent, total)}\n{ratio(r.spent, r.macs)}") for r in rows),
        (f"{count(total)}\n{count(macs)}", f"{percent(total, total)}\n{ratio(total, macs)}"),
    ]
    room = max(1, width - sum(_column_widths(numbers)) - len(numbers[0]))
    fitted = [shorten(name, room, ascii_only) + "\n " + shorten(how, room - 1, ascii_only) for name, how in texts]
    return _table("lrr", [(text, *figures) for text, figures in zip(fitted, numbers)])


def _column_widths(lines: Sequence[tuple[str, ...]]) -> list[int]:
    """The cells that each column wants; a cell may have several lines."""
    return [max(cell_len(part) for cell in column for part in cell.split("\n")) for column in zip(*lines)]


def _table(alignment: str, lines: Sequence[tuple[str, ...]]) -> Table:
    """A table without lines, its head and its total in bold; `alignment` has a letter per column: l or r."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=False)
    for letter in alignment:
        table.add_column(justify="right" if letter == "r" else "left", no_wrap=True)
    for place, line in enumerate(lines):
        table.add_row(*map(Text, line), style="bold" if place in (0, len(lines) - 1) else "")
    return table
