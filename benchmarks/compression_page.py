"""docs/compression.md from docs/compression.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def page(record: Sequence[Mapping[str, Any]]) -> str:
    """The whole page."""
    return ""
