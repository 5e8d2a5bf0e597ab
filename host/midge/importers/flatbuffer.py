"""Checks the structure of a flatbuffer before any accessor touches it.

A layout says of each table which fields midge reads: slot number -> scalar, text, vector or table. `check` follows all
offsets of a file by its layout and raises DamagedFile at the first one that leads outside the file. Fields without an
entry in the layout are only held to lie inside their table.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

_VTABLE_HEADER_BYTES = 4


class DamagedFile(ValueError):
    """The file contradicts itself; the message says where."""


@dataclass(frozen=True)
class Scalar:
    """A number kept inside the table."""

    bytes: int


@dataclass(frozen=True)
class Numbers:
    """A vector of numbers, or a string (element of one byte); `most` is the longest that makes sense."""

    element_bytes: int
    most: int


@dataclass(frozen=True)
class Child:
    """One table."""

    layout: Layout


@dataclass(frozen=True)
class Children:
    """A vector of tables."""

    layout: Layout
    most: int


Field = Scalar | Numbers | Child | Children


@dataclass(frozen=True, eq=False)
class Layout:
    """A table: what messages call it, and its fields by slot number. Layouts never contain themselves."""

    name: str
    fields: Mapping[int, Field]


def check(data: bytes, root: Layout) -> None:
    """Raise DamagedFile unless everything that `root` describes lies inside `data`. Linear in the number of tables."""
    _Checker(data).table(_read(data, "<I", 0, root.name), root)


def _read(data: bytes, form: str, at: int, where: str) -> int:
    if not 0 <= at <= len(data) - struct.calcsize(form):
        raise DamagedFile(f"the {where} lies outside the file (at byte {at} of {len(data)})")
    return int(struct.unpack_from(form, data, at)[0])


class _Checker:
    """Remembers which tables are done, so that shared tables cost nothing."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.done: set[tuple[int, Layout]] = set()

    def table(self, at: int, layout: Layout) -> None:
        if (at, layout) in self.done:
            return
        self.done.add((at, layout))
        offsets, size = self._offsets(at, layout.name)
        for slot, field in layout.fields.items():
            if slot < len(offsets) and offsets[slot]:
                self._field(at, offsets[slot], size, field, f"field {slot} of the {layout.name}")

    def _offsets(self, at: int, where: str) -> tuple[tuple[int, ...], int]:
        """The table's field offsets (0: absent) and its size."""
        vtable = at - _read(self.data, "<i", at, where)
        vtable_size = _read(self.data, "<H", vtable, where)
        size = _read(self.data, "<H", vtable + 2, where)
        if vtable_size < _VTABLE_HEADER_BYTES or vtable_size % 2 or vtable + vtable_size > len(self.data):
            raise DamagedFile(f"the {where} has no valid list of fields")
        if size < 4 or at + size > len(self.data):
            raise DamagedFile(f"the {where} reaches past the end of the file")
        count = (vtable_size - _VTABLE_HEADER_BYTES) // 2
        offsets = struct.unpack_from(f"<{count}H", self.data, vtable + _VTABLE_HEADER_BYTES)
        if any(offset and not 4 <= offset < size for offset in offsets):
            raise DamagedFile(f"the {where} has a field outside itself")
        return offsets, size

    def _field(self, table: int, offset: int, size: int, field: Field, where: str) -> None:
        width = field.bytes if isinstance(field, Scalar) else 4
        if offset + width > size:
            raise DamagedFile(f"{where} is cut off")
        if isinstance(field, Scalar):
            return
        at = table + offset
        target = at + _read(self.data, "<I", at, where)
        if isinstance(field, Child):
            self.table(target, field.layout)
        elif isinstance(field, Numbers):
            self._length(target, field.element_bytes, field.most, where)
        else:
            for index in range(self._length(target, 4, field.most, where)):
                entry = target + 4 + 4 * index
                self.table(entry + _read(self.data, "<I", entry, where), field.layout)

    def _length(self, at: int, element_bytes: int, most: int, where: str) -> int:
        length = _read(self.data, "<I", at, where)
        if at + 4 + length * element_bytes > len(self.data):
            raise DamagedFile(f"{where} reaches past the end of the file")
        if length > most:
            raise DamagedFile(f"{where} has {length} entries, more than the {most} that midge accepts")
        return length
