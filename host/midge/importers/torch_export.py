"""PyTorch's own exporter to ONNX: an exported program, from a file or made of a module, becomes an ONNX model.

The extra `train` brings what it needs. midge.importers.framework_worker reads files with it.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

FRAMEWORK = "PyTorch"
HINT = "replace what it names by operators of torch.ops.aten that ONNX has, or export it to ONNX with torch.onnx.export"


def export_file(source: Path, target: Path, name: str) -> None:
    """Write the exported program in `source`, as torch_program.safe_program made it, to `target` as ONNX."""
    with _quiet():
        program = torch.export.load(io.BytesIO(source.read_bytes()))
    write_onnx(program, target)


def write_onnx(program: Any, target: Path) -> None:
    """Write an exported program to `target` as ONNX. Raises whatever PyTorch raises."""
    with _quiet():
        exported = torch.onnx.export(program, dynamo=True, verbose=False)
        if exported is None:
            raise RuntimeError("the exporter gave nothing")
        exported.optimize()
        exported.save(str(target), external_data=False)


def program_of(module: Any, inputs: tuple[Any, ...]) -> Any:
    """The module as an exported program, as it computes after training (eval); it is left as it was."""
    training = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with _quiet(), torch.no_grad():
            return torch.export.export(module, inputs)
    finally:
        for part, was in training.items():
            part.training = was


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings, which are about PyTorch's own insides."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
