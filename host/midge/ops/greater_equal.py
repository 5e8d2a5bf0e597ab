"""GREATER_EQUAL: whether x is not smaller than y, shapes broadcast as in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from midge.ir.tensor import Array
from midge.ops.families.comparison import Comparison, comparison_reader
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class GreaterEqual(Comparison):
    """inputs: x and y, at most one of them constant; the output is bool."""

    symbol: ClassVar[str] = ">="

    def holds(self, x: Array, y: Array) -> Array:
        """Whether x is not smaller than y."""
        return x >= y


TFLITE = {"GREATER_EQUAL": comparison_reader(GreaterEqual)}
from_uint8 = as_int8
