"""`midge run`: compile, build, run, compare, measure, report."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import click

from midge.cli.compiling import compile_from
from midge.cli.options import JSON, MODEL, compile_options
from midge.cli.talk import out, show_progress, talk
from midge.errors import CheckFailedError, SettingsError
from midge.pipeline import run_model
from midge.report.console import print_report
from midge.report.record import to_json

_BY_PRODUCTS = shutil.ignore_patterns("*.o", "*.su", "zig-cache")


@click.command()
@MODEL
@compile_options
@click.option("--emulate", is_flag=True, help="Run on the emulated twin of the board's core.")
@click.option("--data", "data_path", type=click.Path(path_type=Path), help=".npz with samples, labels and splits.")
@click.option("--samples", type=click.IntRange(min=1), help="Evaluate at most so many samples.")
@click.option("--keep", type=click.Path(path_type=Path), help="Leave the sources and firmware.elf in this folder.")
@JSON
def command(
    model: Path,
    emulate: bool,
    data_path: Path | None,
    samples: int | None,
    keep: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Run a model on a board's core and report latency, memory and accuracy."""
    if not emulate:
        raise SettingsError(
            "midge run does not reach real boards yet", hint="add --emulate to run on the emulated core"
        )
    compiled, data = compile_from(model, data_path, options)
    if data is None:
        talk("no --data: drawn inputs, so there is no accuracy")
    with tempfile.TemporaryDirectory(prefix="midge-") as scratch:
        report = run_model(compiled, data, Path(scratch), samples, show_progress)
        if keep is not None:
            shutil.copytree(scratch, keep, dirs_exist_ok=True, ignore=_BY_PRODUCTS)
            talk(f"kept in {keep}: firmware.elf ({compiled.program.prefix}_run is one inference) and its sources")
    if as_json:
        print(to_json(report))
    else:
        print_report(report, out())
    if report.exact.mismatches:
        raise CheckFailedError(
            f"{report.exact.mismatches} of {report.exact.values} output values differ from the {report.exact.against}",
            hint=f"midge verify {model} --on emulator names the first layer that differs",
        )
