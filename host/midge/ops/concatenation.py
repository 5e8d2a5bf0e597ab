"""CONCATENATION: the inputs one after the other along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.graph import NO_CLAMP, Array, Op, Shape, Tensor
from midge.ops.formats import SourceOp, UnsupportedOp, tflite_clamp
from midge.ops.types import check_same_quant


@dataclass(frozen=True, kw_only=True)
class Concatenation(Op):
    """inputs: one or more tensors whose shapes differ along `axis` (not negative) only."""

    axis: int

    inputs_share_quant: ClassVar[bool] = True

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """The first shape with the sizes along `axis` summed."""
        first = inputs[0].shape
        if not 0 <= self.axis < len(first):
            raise ValueError(f"axis {self.axis} of an input {first}")
        for t in inputs:
            if len(t.shape) != len(first) or any(
                a != b for i, (a, b) in enumerate(zip(t.shape, first, strict=True)) if i != self.axis
            ):
                raise ValueError(f"{t.shape} and {first} differ elsewhere than along axis {self.axis}")
        total = sum(t.shape[self.axis] for t in inputs)
        return ((*first[: self.axis], total, *first[self.axis + 1 :]),)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, or int8 with one scale and zero point everywhere (TFLite's kernel only copies)."""
        return check_same_quant(inputs, outputs)

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """A copy."""
        return [np.concatenate(values, axis=self.axis)]


def from_tflite(op: SourceOp) -> Concatenation:
    """Reads a TFLite CONCATENATION."""
    if tflite_clamp(op) != NO_CLAMP:
        raise UnsupportedOp("a fused activation", "export with the activation as an operator of its own")
    rank, axis = len(op.tensor(0).shape), int(op.attribute("Axis"))
    if not -rank <= axis < rank:
        raise UnsupportedOp(f"axis {axis} of inputs with {rank} dimensions", "the file is damaged: export it again")
    names = op.input_names(len(op.inputs), len(op.inputs))
    return Concatenation(name=op.name, inputs=names, outputs=op.output_names, axis=axis % rank)


TFLITE = {"CONCATENATION": from_tflite}
