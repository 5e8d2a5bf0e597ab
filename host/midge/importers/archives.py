"""Reads zip archives from strangers: every member by name, within limits, and none written to disk by its own name."""

from __future__ import annotations

import io
import zipfile
import zlib

from midge.importers.flatbuffer import DamagedFile
from midge.importers.limits import MAX_FILE_BYTES

_MOST_MEMBERS = 10_000
_ENCRYPTED = 1


def member_names(data: bytes) -> tuple[str, ...]:
    """The names of the members; none when `data` is no zip archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return tuple(archive.namelist()[:_MOST_MEMBERS])
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return ()


def read_archive(data: bytes) -> dict[str, bytes]:
    """Every file in the archive.

    Raises DamagedFile for what is no whole zip, has two members of one name, a member whose name leads out of the
    archive, or more than midge reads of any file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _members(archive)
    except (
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
    ) as problem:
        if isinstance(problem, DamagedFile):
            raise
        raise DamagedFile(f"it is no whole zip archive: {problem}") from problem


def _members(archive: zipfile.ZipFile) -> dict[str, bytes]:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > _MOST_MEMBERS or sum(info.file_size for info in infos) > MAX_FILE_BYTES:
        raise DamagedFile(f"it has more than {_MOST_MEMBERS} files or {MAX_FILE_BYTES} bytes inside")
    found: dict[str, bytes] = {}
    for info in infos:
        name = info.filename
        shown = "".join(c if c.isprintable() else "?" for c in name[:80])
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise DamagedFile(f"its member {shown} leads out of the archive")
        if name in found:
            raise DamagedFile(f"it has two members {shown}")
        if info.flag_bits & _ENCRYPTED:
            raise DamagedFile(f"its member {shown} is encrypted")
        with archive.open(info) as member:
            # What the directory says of the size need not be so.
            found[name] = member.read(info.file_size + 1)
        if len(found[name]) != info.file_size:
            raise DamagedFile(f"its member {shown} has another size than it says")
    return found


def write_archive(members: dict[str, bytes]) -> bytes:
    """An uncompressed zip archive of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()
