"""Functions of each row along the last dimension, whose integer outputs have a scale of the operator's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from midge.ir.graph import Op, OutputQuant
from midge.ir.tensor import Quant, Shape, Tensor


@dataclass(frozen=True, kw_only=True)
class Rows(Op):
    """inputs: x, of at least one dimension. `fixed_quant`: of the int8 output."""

    fixed_quant: ClassVar[Quant]

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape."""
        if not inputs[0].shape:
            raise ValueError("a scalar has no last dimension")
        return (inputs[0].shape,)

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """The fixed one."""
        return self.fixed_quant
