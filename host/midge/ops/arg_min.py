"""ARG_MIN: where along an axis the smallest value is."""

from __future__ import annotations

from dataclasses import dataclass

from midge.ir.tensor import Array
from midge.ops.families.arg import Arg, arg_reader, arg_writer
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class ArgMin(Arg):
    """inputs: x. See Arg for the axis."""

    def extreme(self, x: Array) -> Array:
        """The first index of the smallest."""
        found: Array = x.argmin(axis=self.axis)
        return found


TFLITE = {"ARG_MIN": arg_reader(ArgMin)}
from_uint8 = as_int8
to_tflite = arg_writer("ARG_MIN")
