"""What tuning has measured, kept in the user's cache: one file per core, compiler and flags."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import msgspec

from midge.boards import Core
from midge.build.toolchain import Toolchain
from midge.cache import cache_dir
from midge.errors import SettingsError
from midge.kernels.timings import Timings


class _Remembered(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: for whom the cycles hold, and per layer signature the cycles of each variant."""

    core: str
    compiler: str
    flags: tuple[str, ...]
    midge: str
    layers: dict[str, dict[str, int]]


def recall(core: Core, toolchain: Toolchain) -> Timings:
    """What was measured for this core, compiler, flags and version of midge's kernels; empty when nothing was."""
    path = _path(core, toolchain)
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Remembered).layers
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as problem:
        raise SettingsError(f"{path} cannot be read: {problem}", hint="delete it and tune again") from problem


def remember(core: Core, toolchain: Toolchain, measured: Timings) -> Path:
    """Add what was measured to what is remembered; the file is replaced whole."""
    layers = {key: dict(value) for key, value in {**recall(core, toolchain), **measured}.items()}
    record = _Remembered(core.name, toolchain.version, toolchain.flags, kernels_version(), layers)
    path = _path(core, toolchain)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(msgspec.json.format(msgspec.json.encode(record, order="sorted"), indent=1))
    os.replace(file.name, path)
    return path


def _path(core: Core, toolchain: Toolchain) -> Path:
    key = repr((core.name, toolchain.version, toolchain.flags, kernels_version()))
    return cache_dir() / "tuning" / f"{core.name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.json"


def kernels_version() -> str:
    """Changes with any kernel or template: old measurements are of other code."""
    from midge.resources import firmware_dir, templates_dir

    digest = hashlib.sha256()
    kernels = Path(__file__).resolve().parent.parent / "kernels"
    for folder in (kernels, templates_dir() / "kernels", firmware_dir() / "nn"):
        for path in sorted(p for p in folder.rglob("*") if p.suffix in (".py", ".j2", ".h")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
