"""Model files that only their framework can read: it exports them to ONNX, in a process of its own.

What comes out is kept in midge's cache, by the file's content and the frameworks' versions.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from midge import errors
from midge.cache import cache_dir
from midge.errors import MidgeError, MissingExtraError, UnsupportedModelError

_SECONDS = 600.0
_CALLED = {"keras": "Keras", "pytorch": "PyTorch"}
_EXTRAS = {"keras": "keras", "pytorch": "train"}
_PACKAGES = {"keras": ("keras", "torch", "onnxscript", "onnx", "h5py"), "pytorch": ("torch", "onnxscript", "onnx")}
# Says what was exported how: another exporter or another way of calling it makes another entry in the cache.
_WAY = "1"


@dataclass(frozen=True, eq=False)
class FrameworkFile:
    """A model file's content: `format` is keras or pytorch, `name` what messages call it."""

    format: str
    name: str
    content: bytes


def require(kind: str) -> None:
    """Raise MissingExtraError where a package that a format needs is not installed."""
    missing = [package for package in _PACKAGES[kind] if importlib.util.find_spec(package) is None]
    if missing:
        raise MissingExtraError(
            f"reading {_CALLED[kind]} models needs {', '.join(missing)}, not installed",
            hint=f'pip install "midge[{_EXTRAS[kind]}]"',
        )


def export_to_onnx(files: Sequence[FrameworkFile]) -> list[bytes]:
    """The files as ONNX models, exported by their frameworks, all in one process.

    Raises MissingExtraError when a framework is not installed, ModelFileError for a damaged file, and
    UnsupportedModelError with the framework's words when it cannot export one.
    """
    for kind in {file.format for file in files}:
        require(kind)
    kept = [_place(file) for file in files]
    todo = [(file, place) for file, place in zip(files, kept, strict=True) if not place.is_file()]
    if todo:
        with tempfile.TemporaryDirectory(prefix="midge-export-") as folder:
            _export([file for file, _ in todo], [place for _, place in todo], Path(folder))
    return [place.read_bytes() for place in kept]


def _place(file: FrameworkFile) -> Path:
    """Where the file's ONNX model is kept."""
    versions = (importlib.metadata.version(package) for package in _PACKAGES[file.format])
    key = hashlib.sha256("\0".join((_WAY, file.format, *versions, "")).encode() + file.content).hexdigest()
    return cache_dir() / "exported" / f"{key}.onnx"


def _export(files: Sequence[FrameworkFile], places: Sequence[Path], folder: Path) -> None:
    rooms = [folder / str(number) for number in range(len(files))]
    for room, file in zip(rooms, files, strict=True):
        room.mkdir()
        (room / "model").write_bytes(file.content)
        (room / "request.json").write_text(json.dumps({"format": file.format, "name": file.name}))
    end = _run(rooms, folder)
    for room, file, place in zip(rooms, files, places, strict=True):
        if (room / "problem.json").is_file():
            raise _problem(room / "problem.json")
        if not (room / "model.onnx").is_file():
            raise UnsupportedModelError(
                f"{_CALLED[file.format]} {end}, asked to export {file.name}",
                hint="the file may be damaged: save it again, or export it to ONNX with the framework itself",
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        # Another midge may be writing the same file.
        made = place.with_suffix(f".{os.getpid()}")
        made.write_bytes((room / "model.onnx").read_bytes())
        made.replace(place)


def _run(rooms: Sequence[Path], folder: Path) -> str:
    """Start the worker and wait; how it ended, for a message."""
    command = [sys.executable, "-P", "-m", "midge.importers.framework_worker", *map(str, rooms)]
    environment = {**os.environ, "KERAS_BACKEND": "torch", "KERAS_HOME": str(folder), "CUDA_VISIBLE_DEVICES": ""}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"did not end within {_SECONDS:g} s"
    lines = done.stderr.strip().splitlines()
    return f"died (exit {done.returncode}: {lines[-1][:200] if lines else 'it said nothing'})"


def _problem(path: Path) -> MidgeError:
    answer = json.loads(path.read_text())
    kind: type[MidgeError] = getattr(errors, answer["error"])
    return kind(answer["message"], hint=answer["hint"])
