"""CUMSUM: running sums along an axis, from either end, each with its own value or without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.graph import Array, Op, Shape, Tensor
from midge.ops.formats import SourceOp, axis_of
from midge.ops.tflite_writing import integers, written
from midge.ops.types import check_float


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
        """Float."""
        return check_float(inputs, outputs)

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """In float64."""
        x = values[0].astype(np.float64)
        x = np.flip(x, self.axis) if self.reverse else x
        sums = np.cumsum(x, axis=self.axis) - (x if self.exclusive else 0)
        return [np.array(np.flip(sums, self.axis) if self.reverse else sums, np.float32, order="C")]


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


def to_tflite(op: Cumsum, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite CUMSUM."""
    axis = integers(op, "axis", op.axis)
    return written(op, "CUMSUM", [*inputs, axis], outputs, Exclusive=op.exclusive, Reverse=op.reverse)
