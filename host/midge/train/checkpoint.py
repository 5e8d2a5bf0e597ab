"""A training as it stands after an epoch, in a file that a kill leaves whole and whose reading runs no code."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from midge.errors import SettingsError


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """`key`: of what training it is. `history`: a row for each epoch, see midge.train.loop. The weights of the `best`
    epoch and those of now, with the optimizer's state."""

    key: str
    history: list[tuple[float, float, float | None]]
    best: int
    best_weights: dict[str, Any]
    weights: dict[str, Any]
    optimizer: dict[str, Any]


def write_checkpoint(path: Path, state: Checkpoint) -> None:
    """The file, whole or as it was. Raises SettingsError where it cannot be written."""
    there = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with there.open("wb") as file:
            torch.save({field.name: getattr(state, field.name) for field in fields(state)}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(there, path)
    except OSError as error:
        there.unlink(missing_ok=True)
        raise SettingsError(f"{path} cannot be written: {error}", hint="name a file that you may write") from error


def read_checkpoint(path: Path) -> Checkpoint | None:
    """What is in the file, None where there is none. Raises SettingsError for what is no checkpoint."""
    if not path.exists():
        return None
    try:
        found = torch.load(path, weights_only=True)
        return Checkpoint(**found)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, TypeError, ValueError) as error:
        raise SettingsError(f"{path} is no checkpoint of midge", hint="remove it, or name another file") from error
