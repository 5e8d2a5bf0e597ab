"""Finds the operators: every module of this package that defines a subclass of Op."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from types import ModuleType

from midge.ir.graph import Op
from midge.ops.formats import SourceOp
from midge.ops.onnx_nodes import OnnxReader

Reader = Callable[[SourceOp], Op]


@cache
def modules() -> tuple[ModuleType, ...]:
    """All modules of midge.ops, in name order."""
    package = importlib.import_module("midge.ops")
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    return tuple(importlib.import_module(f"midge.ops.{name}") for name in names)


@cache
def operators() -> Mapping[str, type[Op]]:
    """Every operator by the name of its module, e.g. {"conv2d": Conv2D}."""
    return {
        module.__name__.rpartition(".")[2]: item
        for module in modules()
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, Op) and item.__module__ == module.__name__
    }


@cache
def readers(spelling: str) -> Mapping[str, Reader]:
    """How a format spells each operator: {"CONV_2D": reader}. `spelling` names the modules' table, e.g. "TFLITE"."""
    return {code: reader for module in modules() for code, reader in getattr(module, spelling, {}).items()}


@cache
def onnx_readers() -> Mapping[str, OnnxReader]:
    """How ONNX spells each operator, from the modules' tables ONNX: {"Conv": reader}."""
    return {code: reader for module in modules() for code, reader in getattr(module, "ONNX", {}).items()}
