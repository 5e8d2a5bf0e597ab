"""Files that commands write: whole, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from midge.errors import SettingsError


def write_file(path: Path, content: bytes) -> None:
    """The file with its folder. Raises SettingsError where that cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".midge-") as staging:
            made = Path(staging) / path.name
            made.write_bytes(content)
            os.replace(made, path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error}", hint="name a file that you may write") from error


class NewFile(click.Path):
    """A flag's file that the command will write: one that cannot be is refused before the work whose result it is."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path. Raises SettingsError."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if path.is_dir():
            raise SettingsError(f"{path} cannot be written: it is a folder", hint="name a file in it")
        if path.exists() and not path.is_file():  # writing replaces the file, which would take /dev/stdout away
            raise SettingsError(f"{path} cannot be written: it is no regular file", hint="name a file")
        _require_folder(path, path.absolute().parent)
        return path


class NewFolder(NewFile):
    """The same of a folder, that may be there already."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path. Raises SettingsError."""
        path = Path(os.fsdecode(click.Path.convert(self, value, param, ctx)))
        _require_folder(path, path.absolute())
        return path


def _require_folder(path: Path, folder: Path) -> None:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise SettingsError(f"{path} cannot be written: {there} is a file", hint="name another place")
    if not os.access(there, os.W_OK):
        raise SettingsError(f"{path} cannot be written: {there} is not yours to write to", hint="name another place")


def copy_folder(source: Path, target: Path, ignore: Callable[[str, list[str]], Iterable[str]]) -> None:
    """The files of `source` in `target`, each of them whole, once there is room for all. Raises SettingsError."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".midge-") as staging:
            shutil.copytree(source, staging, dirs_exist_ok=True, ignore=ignore)
            for made in sorted(Path(staging).rglob("*")):
                place = target / made.relative_to(staging)
                if made.is_dir():
                    place.mkdir(exist_ok=True)
                else:
                    os.replace(made, place)
    except OSError as error:
        # shutil gathers what went wrong file by file; the first says it.
        several = error.args and isinstance(error, shutil.Error) and error.args[0]
        why = several[0][2] if several else error
        raise SettingsError(f"{target} cannot be written: {why}", hint="name a folder with room") from error
