"""CONCATENATION: the inputs one after the other along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from typing import ClassVar

import numpy as np

from midge.ir.channels import Range, Ties
from midge.ir.graph import NO_CLAMP, Op, Permutation, tie_elementwise
from midge.ir.tensor import Array, Shape, Tensor
from midge.ops.formats import SourceOp, UnsupportedOp, tflite_clamp
from midge.ops.intervals import hull
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.tflite_writing import written
from midge.ops.types import check_moved
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Concatenation(Op):
    """inputs: one or more tensors whose shapes differ along `axis` (not negative) only."""

    axis: int

    inputs_share_quant: ClassVar[bool] = True
    only_moves: ClassVar[bool] = True

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
        """Float, int8 with one scale and zero point everywhere, as TFLite's kernel only copies, or plain integers."""
        return check_moved(inputs, outputs)

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """A copy."""
        return [np.concatenate(values, axis=self.axis)]

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """One after the other along channels; along another axis what any input may hold."""
        if self.axis == len(outputs[0].shape) - 1:
            return ((np.concatenate([low for low, _ in ranges]), np.concatenate([high for _, high in ranges])),)
        return (reduce(hull, ranges),)

    def permuted(self, permutation: Permutation) -> tuple[Op, Permutation]:
        """Along the renamed axis."""
        return replace(self, axis=permutation[self.axis]), permutation

    def ties(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Ties:
        """Each channel with its place in the output."""
        last = len(outputs[0].shape) - 1
        if self.axis != last:
            return tie_elementwise(inputs, outputs)
        if any(t.is_constant for t in inputs):
            return super().ties(inputs, outputs)
        ends = np.cumsum([0, *(t.shape[last] for t in inputs)])
        return tuple({last: np.arange(first, end)} for first, end in (*pairwise(ends), (0, ends[-1])))


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
from_uint8 = as_int8


def to_tflite(op: Concatenation, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite CONCATENATION."""
    return written(op, "CONCATENATION", inputs, outputs, Axis=op.axis, FusedActivationFunction=0)


def from_onnx(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX Concat."""
    inputs = [node.tensor(i) for i in range(len(node.inputs))]
    axis = node.axis(int(node.attribute("axis")), len(node.tensor(0).shape))
    return [inputs[0] if len(inputs) == 1 else node.add(Concatenation, inputs, "", integers=True, axis=axis)]


ONNX = {"Concat": from_onnx}
