"""PACK: tensors of one shape, stacked along a new axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import Array, Shape, Tensor
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.tflite_writing import written
from midge.ops.types import check_moved
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Pack(Op):
    """inputs: one or more tensors of one shape. `axis` (not negative): the new one of the output."""

    axis: int

    inputs_share_quant: ClassVar[bool] = True
    only_moves: ClassVar[bool] = True
    family: ClassVar[str] = "concatenation"

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """The shape of the inputs with their number at the axis."""
        shape = inputs[0].shape
        if not 0 <= self.axis <= len(shape) or any(t.shape != shape for t in inputs):
            raise ValueError(f"{[t.shape for t in inputs]} do not stack along axis {self.axis}")
        return ((*shape[: self.axis], len(inputs), *shape[self.axis :]),)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, int8 with one scale and zero point everywhere, or any type that is not quantized."""
        return check_moved(inputs, outputs)

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """A copy."""
        return [np.stack(values, axis=self.axis)]


def from_tflite(op: SourceOp) -> Pack:
    """Reads a TFLite PACK."""
    rank, axis = len(op.tensor(0).shape) + 1, int(op.attributes.get("Axis", 0))
    if not -rank <= axis < rank:
        raise UnsupportedOp(f"axis {axis} of {rank} dimensions", "the file is damaged: export it again")
    names = op.input_names(len(op.inputs), len(op.inputs))
    return Pack(name=op.name, inputs=names, outputs=op.output_names, axis=axis % rank)


TFLITE = {"PACK": from_tflite}
from_uint8 = as_int8


def to_tflite(op: Pack, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite PACK."""
    return written(op, "PACK", inputs, outputs, Axis=op.axis, ValuesCount=len(inputs))
