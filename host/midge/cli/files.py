"""Files that commands write: whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from midge.errors import SettingsError


def write_file(path: Path, content: bytes) -> None:
    """The file with its folder. Raises SettingsError where that cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".midge-") as staging:
            made = Path(staging) / path.name
            made.write_bytes(content)
            os.replace(made, path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error}", hint="name a file that you may write") from error
