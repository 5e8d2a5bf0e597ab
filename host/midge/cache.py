"""Where midge keeps what it can make again: the emulator's hook, what tuning measured."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path


def cache_dir() -> Path:
    """MIDGE_CACHE_DIR, else the system's place for caches; a fresh temporary folder when that cannot be written to."""
    base = os.environ.get("MIDGE_CACHE_DIR")
    try:
        folder = Path(base) if base else _system_cache() / "midge"
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        pass
    return Path(tempfile.mkdtemp(prefix="midge-"))


def _system_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
