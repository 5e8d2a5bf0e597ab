"""Reads arrays from .npz files that anyone may have written: no pickles, and no more memory than the file declares."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np

from midge.errors import DataError
from midge.ir.tensor import Array

_MOST_BYTES = 2 << 30
_SUFFIX = ".npy"
_MOST_NAMES = 10
# What zipfile and numpy's header parser raise on broken content; RuntimeError: encrypted, or an unknown compression.
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError, EOFError, RuntimeError, OSError, MemoryError),
    *(ValueError, TypeError, KeyError, SyntaxError, OverflowError),
)


def read_npz(path: Path, wanted: Callable[[str], bool]) -> Mapping[str, Array]:
    """The arrays whose names `wanted` accepts. Raises DataError for a file that is none, broken, or too large."""
    _look_at(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {
                info.filename.removesuffix(_SUFFIX): info
                for info in archive.infolist()
                if info.filename.endswith(_SUFFIX) and wanted(info.filename.removesuffix(_SUFFIX))
            }
            if sum(info.file_size for info in members.values()) > _MOST_BYTES:
                raise DataError(f"{path} unpacks to more than {_MOST_BYTES} bytes", hint="use fewer samples")
            return {name: _read_member(archive, info) for name, info in members.items()}
    except _BROKEN as problem:
        raise DataError(
            f"{path} is not a readable .npz file: {problem}", hint="write it with numpy.savez(file, x=..., y=...)"
        ) from problem


def array_names(path: Path) -> str:
    """What a readable .npz file calls its arrays, in words for a message."""
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(_SUFFIX) for name in archive.namelist()]
    return ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "") or "nothing"


def _look_at(path: Path) -> None:
    """Raises DataError, in words of its own, for what is commonly given in place of an .npz file."""
    if path.is_dir():
        raise DataError(f"{path} is a folder", hint="name the .npz file; what it holds is in the README")
    if not path.is_file():
        raise DataError(f"there is no data file {path}", hint="check the path")
    with path.open("rb") as file:
        start = file.read(6)
    if start == b"\x93NUMPY":
        raise DataError(
            f"{path} is a single array (.npy), not an .npz file",
            hint=f"numpy.savez('data.npz', x=numpy.load({path.name!r}), y=..., split=...)",
        )
    if start.startswith(b"PK") and not zipfile.is_zipfile(path):
        raise DataError(f"{path} is cut off or damaged: its end is missing", hint="copy or write the file again")


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    with archive.open(info) as stream:
        shape, fortran, dtype = _header(stream)
        if dtype.hasobject:
            raise ValueError(f"{info.filename} holds Python objects, not numbers")
        count = prod(shape) * dtype.itemsize
        if count > info.file_size or any(n < 0 for n in shape):
            raise ValueError(f"{info.filename} declares {count} bytes and holds {info.file_size}")
        content = stream.read(count)
    if len(content) < count:
        raise ValueError(f"{info.filename} is cut off")
    values = np.frombuffer(content, dtype, prod(shape))
    return values.reshape(shape, order="F" if fortran else "C")


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    form: Any = np.lib.format
    version = form.read_magic(stream)
    shape, fortran, dtype = (form.read_array_header_1_0 if version == (1, 0) else form.read_array_header_2_0)(stream)
    return tuple(int(n) for n in shape), bool(fortran), dtype
