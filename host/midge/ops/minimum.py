"""MINIMUM: the smaller of two values, shapes broadcast as in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from midge.ops.families.binary import Chosen, binary_reader
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Minimum(Chosen):
    """inputs: x and y, at most one of them constant."""

    chosen: ClassVar[str] = "minimum"


TFLITE = {"MINIMUM": binary_reader(Minimum)}
from_uint8 = as_int8
