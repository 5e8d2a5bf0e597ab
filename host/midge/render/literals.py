"""Numbers as C spells them."""

from __future__ import annotations

import math

import numpy as np

from midge.ir.tensor import Array


def c_int(value: int) -> str:
    """An int literal; the most negative one has no literal of its own."""
    return "(-2147483647 - 1)" if value == -(1 << 31) else str(int(value))


def c_float(value: float) -> str:
    """A float literal that reads back as the same float32."""
    if math.isnan(value) or math.isinf(value):
        raise ValueError(f"{value} has no literal in C")
    text = np.format_float_positional(np.float32(value), unique=True, trim="0")
    if len(text) > 20:
        text = np.format_float_scientific(np.float32(value), unique=True, trim="0")
    return f"{text}f"


def c_rows(values: Array, width: int = 116) -> list[str]:
    """The values as lines of comma-separated literals, each at most `width` wide."""
    spell = c_float if values.dtype.kind == "f" else c_int
    rows: list[str] = []
    line = ""
    for value in values.tolist():
        item = f"{spell(value)},"
        if line and len(line) + 1 + len(item) > width:
            rows.append(line)
            line = item
        else:
            line = f"{line} {item}" if line else item
    return [*rows, line] if line else rows
