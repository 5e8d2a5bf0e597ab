"""Finds the operators: every module of this package that defines a subclass of Op."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from types import ModuleType

from midge.ir.graph import Op
from midge.ops.formats import SourceOp
from midge.ops.onnx_nodes import OnnxReader
from midge.ops.tflite_writing import TFLiteWriter, written
from midge.ops.uint8 import Uint8Form

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


@cache
def uint8_forms() -> Mapping[str, Uint8Form]:
    """What a uint8 operator of TFLite is in int8, by its code: the module's `from_uint8`."""
    forms = ((module, getattr(module, "from_uint8", None)) for module in modules())
    return {code: form for module, form in forms if form is not None for code in getattr(module, "TFLITE", {})}


@cache
def tflite_writers() -> Mapping[str, TFLiteWriter]:
    """How TFLite spells each operator, by the name of its module: the module's `to_tflite`.

    An operator without fields of its own that TFLite spells in one way needs no writer: its inputs and outputs are all.
    """
    return {module.__name__.rpartition(".")[2]: w for module in modules() if (w := _tflite_writer(module)) is not None}


def _tflite_writer(module: ModuleType) -> TFLiteWriter | None:
    codes = tuple(getattr(module, "TFLITE", {}))
    kind = operators().get(module.__name__.rpartition(".")[2])
    if hasattr(module, "to_tflite") or kind is None:
        return getattr(module, "to_tflite", None)
    if len(codes) != 1 or len(fields(kind)) > len(fields(Op)):
        return None
    return lambda op, inputs, outputs: written(op, codes[0], inputs, outputs)
