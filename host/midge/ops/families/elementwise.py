"""Functions of one value at a time, whatever their arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from midge.ir.channels import Range
from midge.ir.graph import Op
from midge.ir.tensor import Shape, Tensor
from midge.ops.intervals import unary_range


@dataclass(frozen=True, kw_only=True)
class Elementwise(Op):
    """inputs: x."""

    is_elementwise: ClassVar[bool] = True

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape."""
        return (inputs[0].shape,)

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """The extremes of the table between the input's ends."""
        return (unary_range(self, inputs, outputs, ranges[0]),)
