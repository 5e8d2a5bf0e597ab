"""Spreads of ticks as the report and the console have them: in microseconds."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from midge.measure.latency import Spread
from midge.report.figures import duration, printable, shorten
from midge.report.record import Latency, Report

_FIGURES = 3 * 12


def in_microseconds(spread: Spread, hz: int) -> Latency:
    """A spread of ticks, of which there are `hz` in a second."""
    least, median, p99 = (round(1e6 * ticks / hz, 3) for ticks in (spread.least, spread.median, spread.p99))
    return Latency(runs=spread.runs, min_us=least, median_us=median, p99_us=p99)


def latency_table(report: Report, width: int, ascii_only: bool) -> Table | None:
    """How each layer's time varies, a line each; None where the runs were not timed."""
    timed = [(layer.name, layer.latency) for layer in report.cycles.per_layer if layer.latency is not None]
    if not timed or report.latency is None or report.latency.runs < 2:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    table.add_row(*map(Text, (f"{report.latency.runs} runs", "min", "median", "p99")), style="bold")
    for name, found in (*timed, ("whole run", report.latency)):
        figures = (duration(us) for us in (found.min_us, found.median_us, found.p99_us))
        label = shorten(printable(name, ascii_only), max(8, width - _FIGURES), ascii_only)
        table.add_row(*map(Text, (label, *figures)), style="bold" if found is report.latency else "")
    return table
