"""Decodes what an ONNX file holds: initializers, inside the file or beside it, and nodes' attributes."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from midge.importers.flatbuffer import DamagedFile
from midge.importers.limits import MAX_CONSTANT_BYTES, MAX_ELEMENTS
from midge.ir.tensor import Array

# What a network can give that is known beforehand: types, and elements, which the graph keeps one by one.
_OUTPUT_TYPES, _MOST_OUTPUTS = ("float32", "int32", "int8", "bool"), 1 << 16
_EXTERNAL = onnx.TensorProto.EXTERNAL


class ConstantReader:
    """Reads tensors of one file. `folder` is where the model lies, None when tensors beside it cannot be read.

    Raises DamagedFile for what contradicts itself, lies outside the folder, or is larger than any microcontroller's
    network.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._bytes = 0

    def read(self, proto: Any) -> Array:
        """The value of a TensorProto."""
        name, dims = clean(proto.name), tuple(proto.dims)
        if any(d < 0 for d in dims) or prod(dims) > MAX_ELEMENTS or len(dims) > 8:
            raise DamagedFile(f"the constant {name} has the shape {list(dims)[:10]}")
        if proto.data_type == onnx.TensorProto.STRING:
            raise DamagedFile(f"the constant {name} holds text")
        if proto.data_location == _EXTERNAL:
            inside = onnx.TensorProto()
            inside.CopyFrom(proto)
            inside.ClearField("external_data")
            inside.data_location = onnx.TensorProto.DEFAULT
            inside.raw_data = self._external(proto, name)
            proto = inside
        try:
            value = np.asarray(numpy_helper.to_array(proto))
        except Exception as problem:  # the package raises what numpy raises, and more
            raise DamagedFile(f"the constant {name} cannot be read: {problem}") from problem
        if value.shape != dims:
            raise DamagedFile(f"the constant {name} has the shape {list(value.shape)}, declared {list(dims)}")
        self._bytes += value.nbytes
        if self._bytes > MAX_CONSTANT_BYTES:
            raise DamagedFile(f"the constants have more than {MAX_CONSTANT_BYTES} bytes")
        return value

    def _external(self, proto: Any, name: str) -> bytes:
        """The bytes of a tensor kept in a file of its own, which must lie in the model's folder."""
        entries = {entry.key: entry.value for entry in proto.external_data}
        location = entries.get("location", "")
        if self._folder is None:
            raise DamagedFile(f"the constant {name} lies in a file of its own, which is not at hand")
        try:
            folder = self._folder.resolve()
            path = (folder / location).resolve()
            if not location or not path.is_relative_to(folder) or Path(location).is_absolute():
                raise DamagedFile(f"the constant {name} lies in {clean(location)!r}, outside the model's folder")
            if not path.is_file():
                raise DamagedFile(f"the constant {name} lies in {clean(location)!r}, which is no file beside the model")
            offset, size = int(entries.get("offset") or 0), path.stat().st_size
            length = int(entries["length"]) if entries.get("length") else size - offset
            if offset < 0 or length < 0 or offset + length > size or length > MAX_CONSTANT_BYTES:
                raise DamagedFile(
                    f"the constant {name} lies at {offset}..{offset + length} of {clean(location)!r}, which has {size}"
                )
            with path.open("rb") as file:
                file.seek(offset)
                content: bytes = file.read(length)
                return content
        except (OSError, ValueError) as problem:
            if isinstance(problem, DamagedFile):
                raise
            raise DamagedFile(f"the constant {name} in {clean(location)!r} cannot be read: {problem}") from problem


def attributes(node: Any, constants: ConstantReader) -> dict[str, Any]:
    """A node's attributes as plain values: numbers, text, lists of them, arrays. Subgraphs are left out."""
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        kind, name = attribute.type, clean(attribute.name)
        if kind == onnx.AttributeProto.TENSOR:
            found[name] = constants.read(attribute.t)
        elif kind == onnx.AttributeProto.FLOAT:
            found[name] = float(attribute.f)
        elif kind == onnx.AttributeProto.INT:
            found[name] = int(attribute.i)
        elif kind == onnx.AttributeProto.STRING:
            found[name] = attribute.s.decode("utf-8", errors="replace")
        elif kind == onnx.AttributeProto.FLOATS:
            found[name] = [float(value) for value in attribute.floats]
        elif kind == onnx.AttributeProto.INTS:
            found[name] = [int(value) for value in attribute.ints]
        elif kind == onnx.AttributeProto.STRINGS:
            found[name] = [value.decode("utf-8", errors="replace") for value in attribute.strings]
        values = found.get(name)
        if (
            isinstance(values, list | float)
            and not np.isfinite(np.asarray(values, float) if _numbers(values) else 0).all()
        ):
            raise DamagedFile(f"its attribute {name} is not finite")
    return found


def _numbers(values: Any) -> bool:
    return isinstance(values, float) or all(isinstance(v, int | float) for v in values)


def clean(text: str) -> str:
    """Text of the file made safe to print, and not too long."""
    return "".join(c if c.isprintable() else "?" for c in text[:80])


def as_output(value: Array) -> Array | None:
    """A constant as a network's output, int64 as the int32 that holds it; None for one that is too large or no type."""
    if value.dtype == np.int64 and np.array_equal(value, value.astype(np.int32)):
        value = value.astype(np.int32)
    return value if value.dtype.name in _OUTPUT_TYPES and value.size <= _MOST_OUTPUTS else None
