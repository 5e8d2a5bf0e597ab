"""`midge boards`: where a model can run."""

from __future__ import annotations

import json

import click
from rich.table import Table

from midge.boards import list_boards, load_board
from midge.cli.options import JSON
from midge.cli.talk import out

_WIDE = 70


@click.command()
@JSON
def command(as_json: bool) -> None:
    """List the boards that midge knows."""
    boards = [load_board(name) for name in list_boards()]
    if as_json:
        fields = ("name", "clock_hz", "flash_bytes", "ram_bytes")
        print(json.dumps({"boards": [{"core": b.core.name, **{f: getattr(b, f) for f in fields}} for b in boards]}))
        return
    narrow: list[str] = []
    table = Table("board", "core", "clock", "flash", "RAM", "what it is", box=None, pad_edge=False)
    for b in boards:
        sizes = (f"{b.clock_hz / 1e6:g} MHz", f"{b.flash_bytes // 1024} KB", f"{b.ram_bytes // 1024} KB")
        table.add_row(b.name, b.core.name, *sizes, b.title)
        # A name is to be typed: where the table would cut it, it stands alone.
        narrow.append(f"{b.name}\n  {b.core.name}, {sizes[0]}, {sizes[1]} flash, {sizes[2]} RAM")
    console = out()
    console.print(table if console.width >= _WIDE else "\n".join(narrow))
