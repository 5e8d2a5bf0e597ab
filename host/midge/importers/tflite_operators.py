"""Decodes a TFLite operator without knowing it: its code by name, and its options as a dict of plain values."""

from __future__ import annotations

import importlib
import struct
from functools import cache
from math import isfinite
from types import FunctionType
from typing import Any

import numpy as np
from flatbuffers import flexbuffers
from flatbuffers.number_types import Int32Flags
from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.utils import BUILTIN_OPCODE2NAME

from midge.importers.flatbuffer import DamagedFile
from midge.ops import readers
from midge.ops.formats import UnsupportedOp

_OPTION_TABLES = {number: name for name, number in vars(BuiltinOptions).items() if not name.startswith("_") and number}
CUSTOM = "CUSTOM"
SPELLING = "TFLITE"
# More than any custom operator's options take.
_CUSTOM_BYTES = 4096
_BUILTIN_CODE_SLOT = 10


class Attributes(dict[str, Any]):
    """An operator's options by the schema's names; asking for one that the file lacks says so."""

    def __missing__(self, key: str) -> Any:
        raise UnsupportedOp(f"its option {key} is missing", "the file is damaged or very old: export it again")


def operator_code(model: Any, index: int) -> str:
    """The operator's name in the schema, e.g. CONV_2D, or that of a custom operator that midge has.

    Raises UnsupportedOp for other custom operators and unknown ones.
    """
    if not 0 <= index < model.OperatorCodesLength():
        raise DamagedFile(f"an operator has code {index} of {model.OperatorCodesLength()}")
    table = model.OperatorCodes(index)
    # Old files have only the first field, which ends at 127; the package's accessor for the second hides it below that.
    old, new = table.DeprecatedBuiltinCode(), table._tab.GetSlot(_BUILTIN_CODE_SLOT, 0, Int32Flags)
    if old < 0 or new < 0:
        raise DamagedFile(f"operator code {index} is negative")
    number = max(old, new)
    name = BUILTIN_OPCODE2NAME.get(number)
    if name is None:
        raise UnsupportedOp(f"operator number {number}, which no schema names", "export with an older converter")
    if name == CUSTOM:
        custom = (table.CustomCode() or b"")[:80].decode("utf-8", errors="replace")
        if custom in readers(SPELLING) and not hasattr(BuiltinOperator, custom):
            return custom
        raise _custom(custom)
    return str(name)


def _custom(name: str) -> UnsupportedOp:
    safe = "".join(c if c.isprintable() else "?" for c in name) or "without a name"
    if safe.startswith("Flex"):
        return UnsupportedOp(
            f"the TensorFlow operator {safe.removeprefix('Flex')}, which needs all of TensorFlow at run time",
            "export with supported_ops = [TFLITE_BUILTINS] and replace the layer that refuses",
        )
    return UnsupportedOp(f"the custom operator {safe}", "replace it by built-in operators")


def attributes(operator: Any) -> Attributes:
    """The operator's options: {accessor's name: number, text or array}, or a custom one's own; empty when it has none.

    The structure around the options is checked, but not the width of each field inside: a number that would be read
    past the end of the file is a DamagedFile here.
    """
    kind, union = operator.BuiltinOptionsType(), operator.BuiltinOptions()
    if kind == 0 or union is None:
        return _custom_options(operator) if operator.CustomOptionsLength() else Attributes()
    if kind not in _OPTION_TABLES:
        raise DamagedFile(f"its options have the unknown kind {kind}")
    table_type, scalars, vectors = _accessors(_OPTION_TABLES[kind])
    table = table_type()
    table.Init(union.Bytes, union.Pos)
    try:
        found = {name: getattr(table, name)() for name in scalars}
        found |= {name: np.atleast_1d(getattr(table, f"{name}AsNumpy")()) for name in vectors if _has(table, name)}
    except (struct.error, ValueError, IndexError, TypeError, OverflowError) as problem:
        raise DamagedFile(f"its options cannot be read: {problem}") from problem
    for name, value in found.items():
        if isinstance(value, float) and not isfinite(value):
            raise DamagedFile(f"its option {name} is {value}")
    return Attributes(found)


def _custom_options(operator: Any) -> Attributes:
    """The numbers of a custom operator's options, a map of FlexBuffers; what is no number is left out."""
    raw = bytes(operator.CustomOptionsAsNumpy())
    found = Attributes()
    try:
        options = flexbuffers.GetRoot(raw).AsMap
        if len(raw) > _CUSTOM_BYTES or len(options) > _CUSTOM_BYTES:
            raise DamagedFile(f"its options have {len(raw)} bytes")
        for key, value in zip(options.Keys, options.Values, strict=True):
            if value.IsBool or value.IsInt or value.IsFloat:
                found[key.AsKey] = value.AsBool if value.IsBool else value.AsInt if value.IsInt else value.AsFloat
    except DamagedFile:
        raise
    except Exception as problem:  # the package raises what Python raises on bytes that are none of its maps
        raise DamagedFile(f"its options cannot be read: {problem}") from problem
    if wrong := [name for name, value in found.items() if not isfinite(value)]:
        raise DamagedFile(f"its option {wrong[0]!r} is not finite")
    return found


def _has(table: Any, vector: str) -> bool:
    return not getattr(table, f"{vector}IsNone")()


@cache
def _accessors(name: str) -> tuple[Any, tuple[str, ...], tuple[str, ...]]:
    """The generated class of an options table, and the names of its scalar and its vector fields."""
    table_type = getattr(importlib.import_module(f"tflite.{name}"), name)
    methods = [n for n, item in vars(table_type).items() if isinstance(item, FunctionType) and n != "Init"]
    vectors = tuple(n.removesuffix("AsNumpy") for n in methods if n.endswith("AsNumpy"))
    derived = {f"{v}{suffix}" for v in vectors for suffix in ("", "AsNumpy", "Length", "IsNone")}
    takes_self_alone = {n for n in methods if vars(table_type)[n].__code__.co_argcount == 1}
    return table_type, tuple(n for n in methods if n not in derived and n in takes_self_alone), vectors
