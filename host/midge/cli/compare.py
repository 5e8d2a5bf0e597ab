"""`midge compare`: fail when a commit makes inference slower, larger or wrong."""

from __future__ import annotations

from pathlib import Path

import click

from midge.cli.options import JSON
from midge.cli.talk import out
from midge.errors import CheckFailedError
from midge.report.compare import compare, comparison_json
from midge.report.compare_console import print_comparison
from midge.report.limits import parse_limits
from midge.report.record import read_report

_REPORT = click.Path(path_type=Path)


@click.command()
@click.argument("old", type=_REPORT)
@click.argument("new", type=_REPORT)
@click.option("--fail-over", "limits", metavar="KEY=LIMIT,...", help="For example cycles=5%,flash=2%,accuracy=0.5.")
@click.option("--anyway", is_flag=True, help="Compare reports of different boards or models all the same.")
@JSON
def command(old: Path, new: Path, limits: str | None, anyway: bool, as_json: bool) -> None:
    """Compare two reports (`midge run --json`); exit with 4 past a limit."""
    allowed = {} if limits is None else parse_limits(limits)
    result = compare(read_report(old), read_report(new), allowed, anyway=anyway)
    if as_json:
        print(comparison_json(result))
    else:
        print_comparison(result, out())
    if not result.passed:
        names = ", ".join(row.name for row in result.failures)
        raise CheckFailedError(f"past its limit: {names}", hint="the layers that changed most are printed above")
