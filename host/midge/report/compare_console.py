"""A comparison for people: a line per figure where there is room, else three."""

from __future__ import annotations

from functools import partial

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from midge.report.compare import Comparison, LayerRow, Row
from midge.report.figures import printable, shorten
from midge.report.page import plain_text, print_page

_WIDE = 76
_STYLES = {"ok": "green", "failed": "bold red", "no data": "bold red", "no limit": ""}
_LAYER_NAME_WIDTH = 40


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print `comparison` in the console's width; where the console is no terminal, as plain text."""
    print_page(partial(_page, comparison), console)


def comparison_text(comparison: Comparison, width: int = 80, ascii_only: bool = False) -> str:
    """The comparison as plain text with no line longer than `width`."""
    return plain_text(partial(_page, comparison), width, ascii_only)


def _page(comparison: Comparison, width: int, ascii_only: bool) -> RenderableType:
    blocks: list[RenderableType] = [Text(printable(_heading(comparison), ascii_only), style="bold")]
    blocks += [Text(f"warning: {printable(warning, ascii_only)}", style="yellow") for warning in comparison.warnings]
    lines = [_row_cells(row) for row in comparison.rows]
    styles = [_STYLES[row.verdict] for row in comparison.rows]
    blocks += [_wide(lines, styles)] if width >= _WIDE else _narrow(lines, styles)
    if comparison.layers:
        blocks.append(Text("\nlayers whose cycles changed most", style="bold"))
        blocks += [Text(_layer_line(layer, width, ascii_only)) for layer in comparison.layers]
    blocks.append(_outcome(comparison))
    return Group(*blocks)


def _heading(c: Comparison) -> str:
    """What is compared, and what its figures are."""
    latency = f", latency: {c.latency_is}" if c.latency_is else ""
    return f"{c.model} on {c.board} ({c.core}), {c.compiler}; {c.counts}{latency}"


def _row_cells(row: Row) -> tuple[str, ...]:
    """name, old, new, difference, limit, verdict"""
    name = f"{row.name}, {row.unit}" if row.unit else row.name
    return name, _figure(row.old), _figure(row.new), _difference(row), row.limit or "", row.verdict


def _wide(lines: list[tuple[str, ...]], styles: list[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in ("figure", "old", "new", "difference", "limit", "verdict"):
        table.add_column(name, justify="left" if name in ("figure", "verdict") else "right", no_wrap=True)
    for line, style in zip(lines, styles):
        table.add_row(*map(Text, line[:-1]), Text(line[-1], style=style))
    return table


def _narrow(lines: list[tuple[str, ...]], styles: list[str]) -> list[RenderableType]:
    blocks: list[RenderableType] = []
    for (name, old, new, difference, limit, verdict), style in zip(lines, styles):
        blocks.append(Text.assemble((name, "bold"), ": ", (verdict, style), f" (limit {limit})" if limit else ""))
        blocks.append(Text(f"  {old} -> {new}"))
        blocks.append(Text(f"  {difference}"))
    return blocks


def _outcome(comparison: Comparison) -> Text:
    if comparison.passed:
        limited = sum(row.limit is not None for row in comparison.rows)
        holds = "no limits given" if not limited else f"passed: {limited} of {limited} limits hold"
        return Text("\n" + holds, style="green")
    names = ", ".join(row.name for row in comparison.failures)
    return Text(f"\nfailed: {names}", style="bold red")


def _layer_line(layer: LayerRow, width: int, ascii_only: bool) -> str:
    change = f"{layer.old:,} -> {layer.new:,} ({_relative(layer.new - layer.old, layer.old)})"
    room = max(1, min(_LAYER_NAME_WIDTH, width - len(change) - 4))
    return f"  {shorten(printable(layer.name, ascii_only), room, ascii_only)}  {change}"


def _figure(value: float | None) -> str:
    """Thousands for whole numbers, at most two decimals for others."""
    return "-" if value is None else f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"


def _difference(row: Row) -> str:
    if row.difference is None or row.old is None:
        return "-"
    if row.difference == 0:
        return "0"
    sign = "+" if row.difference > 0 else ""
    points = " points" if row.unit == "%" else f" ({_relative(row.difference, row.old)})"
    return sign + _figure(row.difference) + points


def _relative(difference: float, old: float) -> str:
    return f"{100 * difference / old:+.1f}%" if old else "was 0"
