"""Comparisons and logic: two values give a truth, shapes broadcast as in numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.numerics.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from midge.ops.formats import SourceOp
from midge.ops.types import broadcast_shape, check_same_type, reason_why_not, type_reason

LEFT_SHIFT = 8


@dataclass(frozen=True, kw_only=True)
class Comparison(Op):
    """inputs: x and y, at most one of them constant; the output is bool."""

    is_elementwise: ClassVar[bool] = True
    family: ClassVar[str] = "compare"
    # The operator as C spells it.
    symbol: ClassVar[str] = ""

    def holds(self, x: Array, y: Array) -> Array:
        """Whether it does."""
        raise NotImplementedError

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """The broadcast shape."""
        return (broadcast_shape(inputs),)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, int32, bool or int8 to bool."""
        kinds = {t.dtype for t in inputs}
        if outputs[0].dtype is not DType.BOOL:
            return type_reason((*inputs, *outputs))
        if len(kinds) == 1 and kinds <= {DType.S32, DType.BOOL}:
            return ""
        reason = check_same_type(inputs, ())
        return reason if reason or kinds == {DType.F32} else reason_why_not(lambda: self.factors(inputs))

    def factors(self, inputs: Sequence[Tensor]) -> tuple[tuple[int, int], tuple[int, int]]:
        """(multiplier, shift) of each int8 operand. Raises ValueError for a scale of 1 or more.

        Source: ComparisonPrepareCommon and the macro behind it in tensorflow/lite/kernels/comparisons.cc.
        """
        if max(t.q.scale for t in inputs) >= 1:
            raise ValueError("a scale of 1 or more, which TensorFlow Lite does not compare")
        x, y = (quantize_multiplier(t.q.scale) for t in inputs)
        return x, y

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Integers with scales: both at a common scale with 8 more bits."""
        x, y = values
        if inputs[0].dtype is DType.S8:
            x, y = (
                multiply_by_quantized_multiplier((v.astype(np.int64) - t.q.zero_point) << LEFT_SHIFT, *factor)
                for v, t, factor in zip(values, inputs, self.factors(inputs), strict=True)
            )
        return [np.asarray(self.holds(x, y), np.bool_)]


def comparison_reader(kind: type[Comparison]) -> Callable[[SourceOp], Comparison]:
    """Reads an operator that has two inputs and no options."""
    return lambda op: kind(name=op.name, inputs=op.input_names(2, 2), outputs=op.output_names)
