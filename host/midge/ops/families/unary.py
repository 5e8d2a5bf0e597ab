"""Functions of one value: each states what it is over the reals; in int8 that is a table of 256 results.

In int16 it is a line between 513 anchors (midge.numerics.interpolated), where the operator does not say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.tensor import QUANTIZED, Array, DType, Quant, Tensor
from midge.numerics.interpolated import Anchors, int16_anchors, interpolate
from midge.numerics.tables import Reals, Table, look_up, unary_table
from midge.ops.families.elementwise import Elementwise
from midge.ops.formats import SourceOp
from midge.ops.types import check_same_type, reason_why_not


@dataclass(frozen=True, kw_only=True)
class Unary(Elementwise):
    """inputs: x."""

    family: ClassVar[str] = "unary"
    # Whether lines between anchors can say it in int16.
    has_int16: ClassVar[bool] = True

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

    def anchors(self, x: Quant, y: Quant) -> Anchors:
        """The int16 form: 513 results with lines between them. How far off that is, each operator says."""
        return int16_anchors(self.real, _int16_range(x), _int16_range(y), np.float32)

    def int16(self, x: Quant, y: Quant, values: Array) -> Array:
        """The int16 results. Raises ValueError for scales that cannot be."""
        return interpolate(self.anchors(x, y), values)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, int8 or int16."""
        if outputs[0].dtype is DType.S16 and not self.has_int16:
            return "int16 is not done: keep the layer in int8 or float"
        reason = check_same_type(inputs, outputs, QUANTIZED)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        x, y = inputs[0].q, outputs[0].q
        if outputs[0].dtype is DType.S16:
            return reason_why_not(lambda: self.int16(x, y, np.zeros(1, np.int16)))
        return reason_why_not(lambda: self.table(x, y))

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Floats: in float64, rounded once. Integers: the table, or the lines between anchors."""
        (x,) = values
        if outputs[0].dtype is DType.S8:
            return [look_up(self.table(inputs[0].q, outputs[0].q), x)]
        if outputs[0].dtype is DType.S16:
            return [self.int16(inputs[0].q, outputs[0].q, x)]
        with np.errstate(all="ignore"):
            return [self.real(x.astype(np.float64)).astype(np.float32)]


def _int16_range(quant: Quant) -> tuple[float, float]:
    """The reals of -32768 and 32767, in float32."""
    low, high = (float(np.float32(quant.scale) * np.float32(end)) for end in DType.S16.limits)
    return low, high


def unary_reader(kind: type[Unary]) -> Callable[[SourceOp], Unary]:
    """Reads an operator that has one input and no options."""
    return lambda op: kind(name=op.name, inputs=op.input_names(1, 1), outputs=op.output_names)
