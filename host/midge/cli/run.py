"""`midge run`: compile, build, run, compare, measure, report."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import click

from midge.cli.compiling import compile_from
from midge.cli.files import NewFolder, copy_folder
from midge.cli.options import JSON, MODEL, compile_options
from midge.cli.talk import out, show_progress, talk
from midge.data import Dataset
from midge.errors import CheckFailedError, InterruptedRunError, SettingsError
from midge.pipeline import Compiled, run_model, run_on_board
from midge.report.console import print_report
from midge.report.record import Report, to_json
from midge.run.board import project_folder

_BY_PRODUCTS = shutil.ignore_patterns(".pio", "*.o", "*.su", "zig-cache")


@click.command()
@MODEL
@compile_options
@click.option("--emulate", is_flag=True, help="Run on the emulated twin of the board's core.")
@click.option("--port", help="Run on the board itself: its port's path, socket://, rfc2217://, or auto (by USB id).")
@click.option("--data", "data_path", type=click.Path(path_type=Path), help=".npz with samples, labels and splits.")
@click.option("--samples", type=click.IntRange(min=1), help="Evaluate at most so many samples.")
@click.option("--runs", type=click.IntRange(min=1), help="Time at least so many runs: samples again, in turn.")
@click.option("--sequence", is_flag=True, help="The samples are streams: what the network remembers stays in each.")
@click.option("--keep", type=NewFolder(), help="Leave the sources and firmware.elf in this folder.")
@JSON
def command(
    model: Path,
    emulate: bool,
    port: str | None,
    data_path: Path | None,
    samples: int | None,
    runs: int | None,
    sequence: bool,
    keep: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Run a model on a board's core and report latency, memory and accuracy."""
    if emulate == (port is not None):
        raise SettingsError(
            "midge run needs to know where: on the board or on its emulated twin",
            hint="either --port PORT (or --port auto), or --emulate",
        )
    compiled, data = compile_from(model, data_path, options, to_emulate=emulate)
    if sequence and not compiled.graph.updates:
        talk("--sequence: this network remembers nothing, so every sample stands alone")
    if data is None:
        talk("no --data: drawn inputs, so there is no accuracy")
    if port is not None:
        report = _on_board(compiled, data, port, samples, runs, sequence, keep, as_json)
    else:
        report = _emulate(compiled, data, samples, runs, sequence, keep)
    _show(report, as_json)
    if report.exact.mismatches:
        raise CheckFailedError(
            f"{report.exact.mismatches} of {report.exact.values} output values differ from the {report.exact.against}",
            hint=f"midge verify {model} --on emulator names the first layer that differs",
        )


def _show(report: Report, as_json: bool) -> None:
    if as_json:
        print(to_json(report))
    else:
        print_report(report, out())


def _on_board(
    compiled: Compiled,
    data: Dataset | None,
    port: str,
    samples: int | None,
    runs: int | None,
    sequence: bool,
    keep: Path | None,
    as_json: bool,
) -> Report:
    try:
        report = run_on_board(compiled, data, port, talk, samples, show_progress, runs, sequence)
    except InterruptedRunError as problem:
        _show(problem.report, as_json)  # what ran before is kept
        raise
    if keep is not None:
        copy_folder(project_folder(compiled), keep, _BY_PRODUCTS)
        talk(f"kept in {keep}: the PlatformIO project")
    return report


def _emulate(
    compiled: Compiled, data: Dataset | None, samples: int | None, runs: int | None, sequence: bool, keep: Path | None
) -> Report:
    with tempfile.TemporaryDirectory(prefix="midge-") as scratch:
        report = run_model(compiled, data, Path(scratch), samples, show_progress, runs, sequence)
        if keep is not None:
            copy_folder(Path(scratch), keep, _BY_PRODUCTS)
            talk(f"kept in {keep}: firmware.elf ({compiled.program.prefix}_run is one inference) and its sources")
    return report
