"""GATHER_ND: the slices of a tensor at places that are given by several indices each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.graph import Op, OutputQuant
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.types import check_moved


@dataclass(frozen=True, kw_only=True)
class GatherNd(Op):
    """inputs: x, and indices (int32 or int64), whose last dimension is a place in x's first ones.

    Negative indices count from the end. What lies outside is taken from the nearest end: no input reads other memory.
    """

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """The indices' shape but the last dimension, then what of x's is not indexed."""
        x, indices = (t.shape for t in inputs)
        if not indices or not 1 <= indices[-1] <= len(x):
            raise ValueError(f"indices of the shape {indices} for an input {x}")
        return ((*indices[:-1], *x[indices[-1] :]),)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Indices of int32 or int64; values of any type that midge moves."""
        if inputs[1].dtype not in (DType.S32, DType.S64):
            return f"indices of type {inputs[1].dtype.value}; they must be int32 or int64"
        return check_moved(inputs[:1], outputs)

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """The input's."""
        return "same"

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """A copy of the slices."""
        x, indices = values
        sizes = np.array(x.shape[: indices.shape[-1]])
        places = np.clip(np.where(indices < 0, indices.astype(np.int64) + sizes, indices), 0, sizes - 1)
        return [np.array(x[tuple(np.moveaxis(places, -1, 0))])]


def from_tflite(op: SourceOp) -> GatherNd:
    """Reads a TFLite GATHER_ND."""
    return GatherNd(name=op.name, inputs=op.input_names(2, 2), outputs=op.output_names)


TFLITE = {"GATHER_ND": from_tflite}


def from_onnx(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX GatherND without batches."""
    if node.attributes.get("batch_dims", 0):
        raise UnsupportedOp("batch dimensions", "gather each batch by an operator of its own")
    return [node.add(GatherNd, [node.tensor(0), node.tensor(1)], "", integers=True)]


ONNX = {"GatherND": from_onnx}
