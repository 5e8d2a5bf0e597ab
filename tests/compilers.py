"""Compilers that a test needs: where one is not installed the test is skipped, with what installs it."""

from __future__ import annotations

import pytest

from midge.boards import Core
from midge.build.toolchain import Toolchain, find_toolchain
from midge.errors import MidgeError


def needed_toolchain(core: Core, prefer: str | None = None) -> Toolchain:
    """The compiler for a core: `prefer`, or any."""
    try:
        return find_toolchain(core, prefer)
    except MidgeError as error:
        pytest.skip(f"needs {prefer or 'a compiler'} for {core.name}: {error.hint}")
