"""`midge compile`: a model becomes C."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from midge.cli.compiling import compile_from
from midge.cli.files import NewFolder
from midge.cli.options import MODEL, PROTOCOL, compile_options
from midge.cli.talk import out, talk
from midge.errors import SettingsError
from midge.memory.picture import draw_plan
from midge.pipeline import Compiled
from midge.render.project import render_project
from midge.run.devices import build_firmware


@click.command()
@MODEL
@compile_options
@PROTOCOL
@click.option("-o", "--output", required=True, type=NewFolder(), help="Folder for the C files.")
@click.option("--project", is_flag=True, help="A PlatformIO project for the board, with the model as a library in it.")
@click.option("--twin", is_flag=True, help="Build the firmware of the emulated twin too: twin.elf, for --port emu://.")
@click.option("--data", "data_path", type=click.Path(path_type=Path), help=".npz to calibrate on (its split 1).")
@click.option("--plan", "show_plan", is_flag=True, help="Draw the arena: offsets upwards, layers to the right.")
def command(
    model: Path, output: Path, project: bool, twin: bool, data_path: Path | None, show_plan: bool, **options: Any
) -> None:
    """Compile a model to C11: model.h, model.c, weights.c and what they include."""
    compiled, _ = compile_from(model, data_path, options)
    program = compiled.program
    sources = compiled.sources
    if compiled.settings.protocol != "midge" and not project:
        raise SettingsError("--protocol is about the firmware around the model", hint="add --project")
    if twin:
        _ = compiled.board.twin  # where there is none, that is the thing to say
    if project:
        sources = render_project(program, sources, compiled.board, compiled.settings)
    write_sources(sources, output)
    console = out()
    for name in sorted(sources):
        console.print(str(output / name), markup=False)
    if show_plan:
        console.print(
            draw_plan(
                compiled.plan, (*compiled.lifetimes.buffers, *compiled.lifetimes.states), min(console.width, 120)
            ),
            markup=False,
        )
    least = program.arena_lower_bound_bytes
    bound = "no plan needs less" if program.arena_bytes == least else f"no plan needs less than {least:,}"
    talk(f"{program.name}: {len(program.calls)} layers, {program.macs:,} MACs")
    talk(f"{program.constant_bytes:,} bytes of constants, an arena of {program.arena_bytes:,} bytes ({bound})")
    if project:
        talk(f"pio run -d {output} builds the firmware for {compiled.board.name}; the model is lib/{program.prefix}")
    if twin:
        talk(f"--port 'emu://{_build_twin(compiled, output)}?board={compiled.board.name}' runs it")
    talk(f"call {program.prefix}_run() of model.h")


def _build_twin(compiled: Compiled, folder: Path) -> Path:
    """The absolute path of the firmware, as an ELF file."""
    with tempfile.TemporaryDirectory(prefix="midge-") as scratch:
        image = build_firmware(compiled, Path(scratch))
        return Path(shutil.copyfile(image.path, folder.resolve() / "twin.elf"))


def write_sources(sources: Mapping[str, str], folder: Path) -> None:
    """Write the files into `folder`, each whole or not at all; other files there are left alone."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".midge-") as staging:
            for name, text in sources.items():
                (Path(staging) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(staging) / name).write_text(text, encoding="utf-8")
            for name in sources:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(Path(staging) / name, folder / name)
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be written: {error}", hint="name a folder that you may write to"
        ) from error
