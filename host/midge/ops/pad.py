"""PAD: zeros (the zero point in int8) around the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from midge.ir.channels import Range, Ties
from midge.ir.graph import Array, DType, Op, OutputQuant, Permutation, Shape, Tensor, tie_elementwise
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.types import check_same_quant


@dataclass(frozen=True, kw_only=True)
class Pad(Op):
    """inputs: x. `paddings`: (before, after) of each dimension."""

    paddings: tuple[tuple[int, int], ...]

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """Each dimension grown by its paddings."""
        shape = inputs[0].shape
        if len(self.paddings) != len(shape) or any(min(pair) < 0 for pair in self.paddings):
            raise ValueError(f"paddings {self.paddings} for an input {shape}")
        return (tuple(before + n + after for n, (before, after) in zip(shape, self.paddings, strict=True)),)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, or int8 with equal scales."""
        return check_same_quant(inputs, outputs)

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """The input's."""
        return "same"

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Filled with what stands for 0."""
        fill = 0 if outputs[0].dtype is DType.F32 else outputs[0].q.zero_point
        return [np.pad(values[0], self.paddings, constant_values=fill)]

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """The input's, with the zero point where padding is."""
        if outputs[0].dtype is DType.F32 or not self.paddings:
            return super().intervals(inputs, outputs, ranges)
        zero, (*outer, channels) = outputs[0].q.zero_point, self.paddings
        low, high = (np.pad(end, channels, constant_values=zero) for end in ranges[0])
        if not any(before or after for before, after in outer):
            return ((low, high),)
        return ((np.minimum(low, zero), np.maximum(high, zero)),)

    def permuted(self, permutation: Permutation) -> tuple[Op, Permutation]:
        """The renamed axes are padded."""
        pairs = dict(zip(permutation, self.paddings, strict=True))
        return replace(self, paddings=tuple(pairs[i] for i in range(len(pairs)))), permutation

    def ties(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Ties:
        """Channel by channel, unless channels are added."""
        adds = not self.paddings or any(self.paddings[-1])
        return super().ties(inputs, outputs) if adds else tie_elementwise(inputs, outputs)


def from_tflite(op: SourceOp) -> Pad:
    """Reads a TFLite PAD; the paddings must be constant."""
    x, paddings = op.tensor(0), op.constant(1)
    if paddings.shape != (len(x.shape), 2) or (paddings < 0).any():
        raise UnsupportedOp(
            f"paddings {paddings.tolist()} for an input {x.shape}", "the file is damaged: export it again"
        )
    pairs = tuple((int(before), int(after)) for before, after in paddings)
    return Pad(name=op.name, inputs=(x.name,), outputs=op.output_names, paddings=pairs)


TFLITE = {"PAD": from_tflite}


def from_onnx(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX Pad with zeros; pads, value and axes must be constant."""
    x = node.tensor(0)
    mode = node.attributes.get("mode", "constant")
    value = float(node.attributes.get("value", 0.0)) if node.optional(2) is None else float(node.constant(2).item())
    if mode != "constant" or value != 0.0:
        raise UnsupportedOp(f"padding with {mode if mode != 'constant' else value}", "pad with zeros")
    raw = node.attributes.get("pads")
    pads = [int(n) for n in (node.constant(1).reshape(-1) if raw is None else raw)]
    rank = len(x.shape)
    axes = list(range(rank))
    if node.optional(3) is not None:
        axes = [node.axis(int(a), rank) for a in node.constant(3).reshape(-1)]
    if len(pads) != 2 * len(axes) or len(set(axes)) != len(axes) or min(pads, default=0) < 0:
        raise UnsupportedOp(f"pads {pads} of axes {axes}", "export with pads that are not negative")
    pairs = dict(zip(axes, zip(pads[: len(axes)], pads[len(axes) :], strict=True), strict=True))
    return [node.add(Pad, [x], "", paddings=tuple(pairs.get(i, (0, 0)) for i in range(rank)))]


ONNX = {"Pad": from_onnx}
