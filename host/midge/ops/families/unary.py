"""Functions of one value: each states what it is over the reals; in int8 that is a table of 256 results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.channels import Range
from midge.ir.graph import Array, DType, Op, Quant, Shape, Tensor
from midge.numerics.tables import Reals, Table, look_up, unary_table
from midge.ops.formats import SourceOp
from midge.ops.intervals import unary_range
from midge.ops.types import check_same_type, reason_why_not


@dataclass(frozen=True, kw_only=True)
class Unary(Op):
    """inputs: x."""

    is_elementwise: ClassVar[bool] = True
    family: ClassVar[str] = "unary"

    @property
    def function(self) -> str:
        """The function's name in firmware/nn/midge_nn_float.h, behind its prefix."""
        return self.kind

    def real(self, x: Reals) -> Reals:
        """The function."""
        raise NotImplementedError

    def table(self, x: Quant, y: Quant) -> Table:
        """The int8 results for -128..127. Raises ValueError for scales that cannot be.

        The real function rounded once, to within half a step of the output, where the operator does not say otherwise.
        """
        with np.errstate(all="ignore"):
            return unary_table(self.real, x, y)

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape."""
        return (inputs[0].shape,)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float or int8."""
        reason = check_same_type(inputs, outputs)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        return reason_why_not(lambda: self.table(inputs[0].q, outputs[0].q))

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Floats: in float64, rounded once. Integers: the table."""
        (x,) = values
        if outputs[0].dtype is not DType.F32:
            return [look_up(self.table(inputs[0].q, outputs[0].q), x)]
        with np.errstate(all="ignore"):
            return [self.real(x.astype(np.float64)).astype(np.float32)]

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """The extremes of the table between the input's ends."""
        return (unary_range(self, inputs, outputs, ranges[0]),)


def unary_reader(kind: type[Unary]) -> Callable[[SourceOp], Unary]:
    """Reads an operator that has one input and no options."""
    return lambda op: kind(name=op.name, inputs=op.input_names(1, 1), outputs=op.output_names)
