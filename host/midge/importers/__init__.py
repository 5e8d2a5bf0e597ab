"""Model files in, graphs out. The format is told by the file's content; importers know no operator."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from midge.errors import ModelFileError, SettingsError
from midge.importers.file_format import is_keras, is_onnx, is_torch_program
from midge.importers.limits import MAX_FILE_BYTES
from midge.ir.graph import Graph
from midge.ir.tensor import Shape

__all__ = ["Imported", "import_model", "import_torch"]


@dataclass(frozen=True, eq=False)
class Imported:
    """A model's graph, with where it came from.

    `sha256` is that of the whole file, in hexadecimal; `format` is tflite, onnx, keras or pytorch. `exported` is the
    ONNX model that a framework's own exporter made of the file, None where midge reads the file itself.
    """

    graph: Graph
    path: Path
    sha256: str
    format: str
    exported: bytes | None = None

    @property
    def is_onnx(self) -> bool:
        """Whether ONNX says what the model means: it came as ONNX, or through it."""
        return self.format == "onnx" or self.exported is not None

    @property
    def file_bytes(self) -> int:
        """The size of the model's file; of its export where there is no file."""
        return len(self.exported) if self.exported is not None and not self.path.is_file() else self.path.stat().st_size


def import_model(path: Path, shapes: Mapping[str, Shape] | None = None) -> Imported:
    """Read a model file. The graph is called after the file, without its suffix.

    `shapes` are those of inputs, by name, whose dimensions an ONNX file leaves open (a batch counts as 1 unless given).

    Raises ModelFileError when the file cannot be read, is damaged or of another format, and UnsupportedModelError when
    it asks for what midge does not do. MissingExtraError when its format needs a package that is not installed.
    """
    try:
        return _import(path, read_model_file(path), shapes or {})
    except ModelFileError as problem:
        # Readers know the graph's name alone; a person looks for the file.
        if problem.message.startswith(f"{path.stem} "):
            raise ModelFileError(f"{path}{problem.message.removeprefix(path.stem)}", hint=problem.hint) from problem
        raise


def _import(path: Path, data: bytes, shapes: Mapping[str, Shape]) -> Imported:
    sha256 = hashlib.sha256(data).hexdigest()
    # The formats' packages are slow to load: only who imports such a model pays.
    if is_onnx(data):
        from midge.importers.onnx import import_onnx

        return Imported(import_onnx(data, path.stem, path.parent, shapes), path, sha256, "onnx")
    if is_keras(data) and not shapes:
        from midge.importers.framework import FrameworkFile, export_to_onnx

        exported = export_to_onnx([FrameworkFile("keras", path.stem, data)])[0]
        return _through_onnx(exported, path.stem, path, sha256, "keras")
    if is_torch_program(data):
        from midge.importers.torch import onnx_of_program

        return _through_onnx(onnx_of_program(data, path.stem), path.stem, path, sha256, "pytorch", shapes)
    if shapes:
        raise SettingsError(f"{path} fixes its inputs' shapes itself", hint="leave --input-shape out")
    from midge.importers.tflite import import_tflite

    return Imported(import_tflite(data, path.stem), path, sha256, "tflite")


def import_torch(module: Any, example_inputs: Sequence[Any], name: str = "model") -> Imported:
    """Read a torch.nn.Module, as it computes after training; `example_inputs` (tensors) give shapes and types.

    Raises UnsupportedModelError when PyTorch cannot export it or midge cannot do what it exports, and MissingExtraError
    without the extra `train`.
    """
    from midge.importers.torch import onnx_of_module

    exported = onnx_of_module(module, example_inputs, name)
    return _through_onnx(exported, name, Path(name), hashlib.sha256(exported).hexdigest(), "pytorch")


def _through_onnx(
    exported: bytes, name: str, path: Path, sha256: str, kind: str, shapes: Mapping[str, Shape] | None = None
) -> Imported:
    from midge.importers.onnx import import_onnx

    return Imported(import_onnx(exported, name, shapes=shapes or {}), path, sha256, kind, exported)


def read_model_file(path: Path) -> bytes:
    """The content of a model file. Raises ModelFileError when there is none, or too much."""
    if path.is_dir():
        raise ModelFileError(
            f"{path} is a folder",
            hint="give the model file; convert a TensorFlow SavedModel folder to .tflite first",
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
