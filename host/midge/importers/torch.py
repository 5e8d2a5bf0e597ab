"""Reads PyTorch: exported programs from files, and modules from the caller's own hands."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from midge.errors import ModelFileError, UnsupportedModelError
from midge.importers.flatbuffer import DamagedFile
from midge.importers.framework import FrameworkFile, export_to_onnx, require
from midge.importers.problems import unsupported
from midge.importers.torch_program import safe_program
from midge.ops.formats import UnsupportedOp


def onnx_of_program(data: bytes, name: str) -> bytes:
    """An exported program (.pt2) as ONNX. Raises what import_model does."""
    require("pytorch")
    try:
        safe, problems = safe_program(data)
    except DamagedFile as problem:
        raise ModelFileError(f"{name} is damaged: {problem}", hint="copy or save the file again") from problem
    except UnsupportedOp as problem:
        raise UnsupportedModelError(f"{name} is {problem.reason}", hint=problem.remedy) from problem
    if problems:
        raise unsupported(name, problems, ())
    return export_to_onnx([FrameworkFile("pytorch", name, safe)])[0]


def onnx_of_module(module: Any, example_inputs: Sequence[Any], name: str) -> bytes:
    """A torch.nn.Module as ONNX, as it computes after training (eval). Raises UnsupportedModelError where it cannot."""
    require("pytorch")
    from midge.importers import torch_export
    from midge.importers.framework_worker import words

    with tempfile.TemporaryDirectory(prefix="midge-export-") as folder:
        target = Path(folder) / "model.onnx"
        try:
            torch_export.write_onnx(torch_export.program_of(module, tuple(example_inputs)), target)
        except Exception as problem:  # PyTorch raises whatever the module and its exporter raise
            raise UnsupportedModelError(
                f"PyTorch cannot export {name}: {words(problem)}", hint=torch_export.HINT
            ) from problem
        return target.read_bytes()
