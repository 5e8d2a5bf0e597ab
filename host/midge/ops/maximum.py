"""MAXIMUM: the larger of two values, shapes broadcast as in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from midge.ops.families.binary import Chosen, binary_reader
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Maximum(Chosen):
    """inputs: x and y, at most one of them constant."""

    chosen: ClassVar[str] = "maximum"


TFLITE = {"MAXIMUM": binary_reader(Maximum)}
from_uint8 = as_int8
