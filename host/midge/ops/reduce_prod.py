"""REDUCE_PROD: the product over some axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.tensor import Array, DType, Tensor
from midge.numerics.fixed_point import multiply_wide_by_quantized_multiplier, quantize_multiplier
from midge.ops.families.reduction import Reduction, reduction_reader, reduction_writer
from midge.ops.types import check_same_type, reason_why_not

# Shifts that the product of an int32 and an offset int8 allows in 64 bits.
_SHIFTS = range(-31, 8)


@dataclass(frozen=True, kw_only=True)
class ReduceProd(Reduction):
    """inputs: x. See Reduction for the axes."""

    family: ClassVar[str] = "reduce"

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, or int8 with scales that the arithmetic can do."""
        reason = check_same_type(inputs, outputs)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        return reason_why_not(lambda: self.factor(inputs, outputs))

    def factor(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[int, int]:
        """(multiplier, shift) after each product: the input's scale over the count-th root of the output's.

        Raises ValueError when the scales are too far apart. Source: GetQuantProdScaling in
        tensorflow/lite/kernels/reduce.cc.
        """
        real = inputs[0].q.scale / outputs[0].q.scale ** (1.0 / self.count(inputs[0]))
        multiplier, shift = quantize_multiplier(real)
        if shift not in _SHIFTS:
            raise ValueError(f"a factor of {real:.3g} after each product")
        return multiplier, shift

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Floats: in float64, rounded once. Integers: each product rescaled, in the order of the elements."""
        x, y = inputs[0], outputs[0]
        if y.dtype is DType.F32:
            with np.errstate(all="ignore"):
                product = values[0].prod(axis=self.axes, keepdims=self.keep_dims, dtype=np.float64)
                return [np.asarray(product, np.float32)]
        factor = self.factor(inputs, outputs)
        kept = [i for i in range(len(x.shape)) if i not in self.axes]
        rows = values[0].transpose([*kept, *self.axes]).reshape(-1, self.count(x)).astype(np.int64) - x.q.zero_point
        product = rows[:, 0]
        for column in rows.T[1:]:
            product = multiply_wide_by_quantized_multiplier(product * column, *factor)
        scaled = multiply_wide_by_quantized_multiplier(product, *factor) + y.q.zero_point
        return [np.clip(scaled, -128, 127).astype(np.int8).reshape(y.shape)]


TFLITE = {"REDUCE_PROD": reduction_reader(ReduceProd)}
to_tflite = reduction_writer("REDUCE_PROD")
