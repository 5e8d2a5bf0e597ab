"""REDUCE_MIN: the smallest value over some axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from midge.ops.families.reduction import Extreme, reduction_reader, reduction_writer
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class ReduceMin(Extreme):
    """inputs: x. See Reduction for the axes."""

    chosen: ClassVar[str] = "min"


TFLITE = {"REDUCE_MIN": reduction_reader(ReduceMin)}
from_uint8 = as_int8
to_tflite = reduction_writer("REDUCE_MIN")
