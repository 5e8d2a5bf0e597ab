"""Model files in, graphs out. The format is told by the file's content; importers know no operator."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from midge.errors import ModelFileError
from midge.importers.file_format import is_onnx
from midge.importers.limits import MAX_FILE_BYTES
from midge.ir.graph import Graph

__all__ = ["Imported", "import_model"]


@dataclass(frozen=True, eq=False)
class Imported:
    """A model file's graph, with where it came from: `sha256` is that of the whole file, in hexadecimal."""

    graph: Graph
    path: Path
    sha256: str
    format: str


def import_model(path: Path) -> Imported:
    """Read a model file. The graph is called after the file, without its suffix.

    Raises ModelFileError when the file cannot be read, is damaged or of another format, and UnsupportedModelError when
    it asks for what midge does not do. MissingExtraError when its format needs a package that is not installed.
    """
    data = read_model_file(path)
    sha256 = hashlib.sha256(data).hexdigest()
    # The formats' packages are slow to load: only who imports such a model pays.
    if is_onnx(data):
        from midge.importers.onnx import import_onnx

        return Imported(import_onnx(data, path.stem, path.parent), path, sha256, "onnx")
    from midge.importers.tflite import import_tflite

    return Imported(import_tflite(data, path.stem), path, sha256, "tflite")


def read_model_file(path: Path) -> bytes:
    """The content of a model file. Raises ModelFileError when there is none, or too much."""
    if path.is_dir():
        raise ModelFileError(
            f"{path} is a folder",
            hint="give the .tflite or .onnx file; convert a TensorFlow SavedModel folder to one first",
        )
    try:
        if not path.exists():
            raise ModelFileError(f"there is no file {path}", hint="check the path")
        # A pipe or a device may never end.
        if not path.is_file():
            raise ModelFileError(f"{path} is not a regular file", hint="give the path of a model file")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ModelFileError(f"{path} has {path.stat().st_size} bytes", hint=f"midge reads up to {MAX_FILE_BYTES}")
        return path.read_bytes()
    except (OSError, ValueError) as problem:
        hint = "check the path and its permissions"
        raise ModelFileError(f"{path} cannot be read: {problem}", hint=hint) from problem
