"""`midge emulate`: the emulated board behind a port that any serial program can open."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click

from midge.cli.compiling import compile_from
from midge.cli.options import JSON, MODEL, PROTOCOL, compile_options
from midge.cli.talk import talk, until_stopped
from midge.errors import SettingsError
from midge.run.bridge import open_pty, open_tcp, pump
from midge.run.devices import build_firmware, emulated_line


@click.command()
@MODEL
@compile_options
@PROTOCOL
@click.option("--data", "data_path", type=click.Path(path_type=Path), help=".npz to calibrate on (its split 1).")
@click.option("--pty", is_flag=True, help="Behind a device path.")
@click.option("--tcp", type=click.IntRange(0, 65535), help="Behind a TCP port of this computer; 0: a free one.")
@click.option("--speed", type=click.IntRange(min=0), default=0, help="Bits a second; as fast as it goes without.")
@JSON
def command(
    model: Path, data_path: Path | None, pty: bool, tcp: int | None, speed: int, as_json: bool, **options: Any
) -> None:
    """Keep the emulated twin of a board running behind a port, until Ctrl-C.

    Prints the port: a path, or a socket:// URL. `midge run --port` and any other serial program can open it.
    """
    if pty == (tcp is not None):
        raise SettingsError("midge emulate needs to know behind what", hint="either --pty, or --tcp PORT (0: any)")
    compiled, _ = compile_from(model, data_path, options)
    board = compiled.board
    with tempfile.TemporaryDirectory(prefix="midge-") as scratch, until_stopped():
        image = build_firmware(compiled, Path(scratch))
        with (
            emulated_line(image, board, Path(scratch)) as (line, _),
            open_pty() if tcp is None else open_tcp(tcp) as outer,
        ):
            facts = {"port": outer.name, "board": board.name, "model": compiled.program.name}
            print(json.dumps(facts) if as_json else outer.name, flush=True)
            talk(f"{compiled.program.name} on an emulated {board.name}; Ctrl-C ends it")
            pump(line, outer, speed)
