"""ADD_N: the sum of any number of tensors of one shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.ops.formats import SourceOp
from midge.ops.types import type_reason


@dataclass(frozen=True, kw_only=True)
class AddN(Op):
    """inputs: two or more of one shape, at most one of them constant."""

    is_elementwise: ClassVar[bool] = True

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """Their shape."""
        if len({t.shape for t in inputs}) != 1:
            raise ValueError(f"sums of the shapes {', '.join(str(t.shape) for t in inputs)}")
        return (inputs[0].shape,)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, or int32 without a scale."""
        kinds = {t.dtype for t in (*inputs, *outputs)}
        return "" if kinds in ({DType.F32}, {DType.S32}) else type_reason((*inputs, *outputs))

    def stays_float(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> bool:
        """TFLite has no int8 form."""
        return outputs[0].dtype is DType.F32

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """One after the other; int32 keeps the low bits."""
        with np.errstate(over="ignore"):
            return [np.asarray(reduce(np.add, values), outputs[0].dtype.numpy)]


def from_tflite(op: SourceOp) -> AddN:
    """Reads a TFLite ADD_N."""
    return AddN(name=op.name, inputs=op.input_names(len(op.inputs), len(op.inputs)), outputs=op.output_names)


TFLITE = {"ADD_N": from_tflite}
