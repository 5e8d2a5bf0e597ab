"""How much a test draws: little in every run, more in `make test-long`, which sets MIDGE_THOROUGH.

Tests that ask here are marked `thorough`, by which the long target finds them.
"""

from __future__ import annotations

import os


def draws(usual: int, thorough: int) -> int:
    """How many to draw in this run."""
    return thorough if os.environ.get("MIDGE_THOROUGH") else usual
