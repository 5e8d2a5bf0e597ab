"""CUMSUM: running sums along an axis, from either end, each with its own value or without.

TFLite has no int8 form. midge's adds offset values up in int32, which is exact, and rescales each sum once: it errs by
half a step of the output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.numerics.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from midge.ops.formats import SourceOp, axis_of
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.tflite_writing import integers, written
from midge.ops.types import check_same_type, reason_why_not

# Values that an int32 holds the sum of, each up to 255 from the zero point.
_MAX_COUNT = (1 << 31) // 256


@dataclass(frozen=True, kw_only=True)
class Cumsum(Op):
    """inputs: x. `axis`: not negative. `exclusive`: sums without the own value. `reverse`: from the last on."""

    axis: int
    exclusive: bool
    reverse: bool

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape."""
        if not 0 <= self.axis < len(inputs[0].shape):
            raise ValueError(f"axis {self.axis} of an input {inputs[0].shape}")
        return (inputs[0].shape,)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float or int8."""
        reason = check_same_type(inputs, outputs)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        return reason_why_not(lambda: self.factor(inputs, outputs))

    def factor(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[int, int]:
        """(multiplier, shift) of int8 sums. Raises ValueError when they leave int32 or scales are too far apart."""
        if (count := inputs[0].shape[self.axis]) > _MAX_COUNT:
            raise ValueError(f"the sum of {count} values needs more than 32 bits")
        return quantize_multiplier(inputs[0].q.scale / outputs[0].q.scale)

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Floats: in float64. Integers: sums of offset values, each rescaled once."""
        is_float = outputs[0].dtype is DType.F32
        x = values[0].astype(np.float64) if is_float else values[0].astype(np.int64) - inputs[0].q.zero_point
        x = np.flip(x, self.axis) if self.reverse else x
        sums = np.cumsum(x, axis=self.axis) - (x if self.exclusive else 0)
        sums = np.flip(sums, self.axis) if self.reverse else sums
        if is_float:
            return [np.array(sums, np.float32, order="C")]
        scaled = multiply_by_quantized_multiplier(sums, *self.factor(inputs, outputs)) + outputs[0].q.zero_point
        return [np.array(np.clip(scaled, -128, 127), np.int8, order="C")]


def from_tflite(op: SourceOp) -> Cumsum:
    """Reads a TFLite CUMSUM; the axis must be constant."""
    x = op.tensor(0)
    return Cumsum(
        name=op.name,
        inputs=(x.name,),
        outputs=op.output_names,
        axis=axis_of(x, op.constant(1)),
        exclusive=bool(op.attributes.get("Exclusive", False)),
        reverse=bool(op.attributes.get("Reverse", False)),
    )


TFLITE = {"CUMSUM": from_tflite}


def from_onnx(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX CumSum; the axis must be constant."""
    x = node.tensor(0)
    axis = node.axis(int(node.constant(1).reshape(-1)[0]), len(x.shape))
    exclusive, reverse = (bool(node.attributes.get(name, 0)) for name in ("exclusive", "reverse"))
    return [node.add(Cumsum, [x], "", axis=axis, exclusive=exclusive, reverse=reverse)]


ONNX = {"CumSum": from_onnx}


def to_tflite(op: Cumsum, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite CUMSUM."""
    axis = integers(op, "axis", op.axis)
    return written(op, "CUMSUM", [*inputs, axis], outputs, Exclusive=op.exclusive, Reverse=op.reverse)
