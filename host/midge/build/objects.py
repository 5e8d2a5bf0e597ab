"""Objects of midge's own C, kept from one build to the next: they are the same in every firmware for a core.

One is found by all that it is made of: the compiler, its flags, the source and every header that it could include.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from midge.cache import cache_dir

# The object, and what -fstack-usage wrote beside it.
_ENDINGS = (".su", ".o")


def object_key(version: str, command: Sequence[str], files: Iterable[Path]) -> str:
    """What an object is kept under. `files` are the source and the headers that it could include.

    `command` names no folder that differs between two builds of the same object; `version` is what the compiler says.
    """
    digest = hashlib.sha256(repr((version, tuple(command))).encode())
    for file in files:
        digest.update(b"\0" + file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def fetch(key: str, target: Path) -> bool:
    """Copy the object of that key to `target`, a name ending in .o; whether there was one."""
    for ending in _ENDINGS:
        try:
            shutil.copyfile(_folder() / f"{key}{ending}", target.with_suffix(ending))
        except OSError:
            if ending == ".o":
                return False
    return True


def keep(key: str, made: Path) -> None:
    """Keep the object `made` under that key. Where nothing can be written nothing is kept, and nothing is lost."""
    for ending in _ENDINGS:
        source = made.with_suffix(ending)
        if not source.exists():
            continue
        try:
            _folder().mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=_folder())
            with os.fdopen(handle, "wb") as file:
                file.write(source.read_bytes())
            os.replace(name, _folder() / f"{key}{ending}")
        except OSError:
            return


def _folder() -> Path:
    return _folder_in(os.environ.get("MIDGE_CACHE_DIR"))


@cache
def _folder_in(_: str | None) -> Path:
    """Found once: where no cache can be written it is a temporary folder."""
    return cache_dir() / "objects"
