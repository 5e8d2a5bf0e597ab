"""`midge report`: reports as a page for people who would rather look."""

from __future__ import annotations

from pathlib import Path

import click

from midge.cli.files import NewFile, write_file
from midge.cli.talk import talk
from midge.errors import SettingsError
from midge.report.html import Source, html_page
from midge.report.record import read_report


@click.command()
@click.argument("reports", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=NewFile(), help="The .html file to write.")
def command(reports: tuple[Path, ...], output: Path) -> None:
    """Make one HTML page of reports (`midge run --json`), or of folders of them: layers, memory, accuracy, history.

    Reports of one network on one board are its history, in the order given; a folder's in the order of file names.
    """
    files = [file for path in reports for file in _files(path)]
    page = html_page([Source(file.stem, read_report(file)) for file in files])
    write_file(output, page.encode())
    talk(f"wrote {output}: {len(files)} report{'s' if len(files) > 1 else ''}, one page that needs no other file")


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("*.json"))
    if not found:
        raise SettingsError(f"{path} holds no .json", hint="a folder of what `midge run --json` prints")
    return found
