"""ADD: clamp(x + y), shapes broadcast as in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from midge.ops.families.binary import clamped_writer
from midge.ops.families.signed_sum import SignedSum, sum_reader
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Add(SignedSum):
    """inputs: x and y, at most one of them constant."""

    sign: ClassVar[Literal[1, -1]] = 1


TFLITE = {"ADD": sum_reader(Add)}
from_uint8 = as_int8
to_tflite = clamped_writer("ADD", PotScaleInt16=False)
