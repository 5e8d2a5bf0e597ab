"""Legal C identifiers from whatever a model file calls things."""

from __future__ import annotations

import re
from collections.abc import Iterable


def c_name(text: str, limit: int = 40) -> str:
    """`text` in lower case with everything but letters, digits and underscores replaced; never empty, never a digit
    first, so that it can follow a prefix and an underscore."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:limit].strip("_")
    if not name:
        return "model"
    return f"n{name}" if name[0].isdigit() else name


def unique(names: Iterable[str]) -> list[str]:
    """The names, with _2, _3, ... where one came before."""
    taken: set[str] = set()
    result = []
    for name in names:
        candidate, count = name, 1
        while candidate in taken:
            count += 1
            candidate = f"{name}_{count}"
        taken.add(candidate)
        result.append(candidate)
    return result
