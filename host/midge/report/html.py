"""Reports as one page of HTML that needs nothing else: no script, no font, no other file; safe to open and to mail.

Several reports of one network on one board are a history: the last one is shown in full, and how figures went.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import jinja2

from midge import __version__
from midge.render.environment import new_environment
from midge.report.charts import ArenaPicture, Part, Trend, arena_picture, flash_parts, ram_parts, trend
from midge.report.compare import Row, compare
from midge.report.facts import Fact, check_facts, flash_facts, heading, ram_facts, time_facts
from midge.report.figures import count, duration, ratio
from midge.report.layers import SpentRow, layer_rows
from midge.report.limits import METRICS
from midge.report.record import Report


@dataclass(frozen=True)
class Source:
    """A report and the name of the file that it came from."""

    name: str
    report: Report


@dataclass(frozen=True)
class Line:
    """A layer in the table: `share` of the whole, in percent, None where nothing was counted."""

    row: SpentRow
    per_mac: str
    share: float | None
    const_bytes: int | None


@dataclass(frozen=True)
class Section:
    """A network on a board: its newest report in full, what changed since the one before, how figures went."""

    anchor: str
    newest: Source
    lines: tuple[Line, ...]
    unit: str
    total: int | None
    facts: tuple[tuple[str, tuple[Fact, ...]], ...]
    flash: tuple[Part, ...]
    ram: tuple[Part, ...]
    arena: ArenaPicture | None
    before: Source | None
    changes: tuple[Row, ...]
    trends: tuple[Trend, ...]
    steady: tuple[str, ...]

    @property
    def heading(self) -> tuple[str, str, str]:
        """What ran where, of which file, made by which compiler."""
        return heading(self.newest.report)


def html_page(sources: Sequence[Source]) -> str:
    """The page of reports, oldest first."""
    groups: dict[tuple[str, str, str], list[Source]] = {}
    for source in sources:
        report = source.report
        groups.setdefault((report.model.name, report.board, report.clock.kind), []).append(source)
    sections = [_section(f"s{number}", group) for number, group in enumerate(groups.values(), 1)]
    return _environment().get_template("report/page.html.j2").render(sections=sections, version=__version__)


def _section(anchor: str, group: Sequence[Source]) -> Section:
    newest, before = group[-1], group[-2] if len(group) > 1 else None
    report = newest.report
    unit, total, rows = layer_rows(report, ascii_only=False)
    trends, steady = _history(group)
    changes: tuple[Row, ...] = ()
    if before is not None:
        compared = compare(before.report, report, {}, anyway=True)
        changes = tuple(row for row in compared.rows if row.difference)
    facts = (
        ("Time", tuple(time_facts(report))),
        ("Flash", tuple(flash_facts(report.flash))),
        ("RAM", tuple(ram_facts(report.ram))),
        ("Correctness", tuple(check_facts(report.exact, report.accuracy))),
    )
    return Section(
        anchor=anchor,
        newest=newest,
        lines=_lines(report, rows, total),
        unit=unit,
        total=total,
        facts=tuple((title, some) for title, some in facts if some),
        flash=() if report.flash is None else flash_parts(report.flash),
        ram=() if report.ram is None else ram_parts(report.ram),
        arena=arena_picture(report),
        before=before,
        changes=changes,
        trends=trends,
        steady=steady,
    )


def _lines(report: Report, rows: Sequence[SpentRow], total: int | None) -> tuple[Line, ...]:
    const: list[int | None] = [layer.const_bytes for layer in report.cycles.per_layer]
    const += [None] * (len(rows) - len(const))
    return tuple(
        Line(row, ratio(row.spent, row.macs), 100 * row.spent / total if row.spent and total else None, size)
        for row, size in zip(rows, const, strict=True)
    )


def _history(group: Sequence[Source]) -> tuple[tuple[Trend, ...], tuple[str, ...]]:
    """Figures that changed, as trends, and the names of those that never did."""
    trends, steady = [], []
    for name, metric in METRICS.items():
        read = [(source.name, metric.read(source.report)) for source in group]
        values = [(source, value) for source, value in read if value is not None]
        if len(values) < 2:
            continue
        if (drawn := trend(name, metric.unit, values)) is None:
            steady.append(name)
        else:
            trends.append(drawn)
    return tuple(trends), tuple(steady)


@cache
def _environment() -> jinja2.Environment:
    """Names in reports are those of strangers' files: all text is escaped."""
    env = new_environment(autoescape=True)
    env.filters |= {"count": count, "duration": duration}
    return env
