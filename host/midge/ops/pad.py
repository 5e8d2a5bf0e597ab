"""PAD and PADV2: zeros (the zero point in int8), or another constant, around the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from midge.ir.channels import Range, Ties
from midge.ir.graph import Op, OutputQuant, Permutation, tie_elementwise
from midge.ir.tensor import QUANTIZED, Array, DType, Shape, Tensor
from midge.numerics.fixed_point import quantize_array
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.gather import Gather
from midge.ops.mirror_pad import MirrorPad
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.tflite_writing import integers, written
from midge.ops.types import check_same_quant
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Pad(Op):
    """inputs: x. `paddings`: (before, after) of each dimension. `value`: what they are filled with, a real number."""

    paddings: tuple[tuple[int, int], ...]
    value: float = 0.0

    def fill(self, output: Tensor) -> float:
        """`value` as the output says it; saturated where it is quantized."""
        if output.dtype not in QUANTIZED:
            return self.value
        return int(quantize_array(np.array(self.value), output.q, output.dtype))

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """Each dimension grown by its paddings."""
        shape = inputs[0].shape
        if len(self.paddings) != len(shape) or any(min(pair) < 0 for pair in self.paddings):
            raise ValueError(f"paddings {self.paddings} for an input {shape}")
        return (tuple(before + n + after for n, (before, after) in zip(shape, self.paddings, strict=True)),)

    def scales_through(self, inputs: Sequence[Tensor]) -> bool:
        """Zeros stay zeros; channels stay where they are."""
        return self.value == 0 and (not self.paddings or self.paddings[-1] == (0, 0))

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, or int8 or int16 with equal scales."""
        return check_same_quant(inputs, outputs, QUANTIZED)

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """The input's."""
        return "same"

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Filled with what stands for the value."""
        return [np.pad(values[0], self.paddings, constant_values=self.fill(outputs[0]))]

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """The input's, with the fill where padding is."""
        if outputs[0].dtype is DType.F32 or not self.paddings:
            return super().intervals(inputs, outputs, ranges)
        zero, (*outer, channels) = int(self.fill(outputs[0])), self.paddings
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
    """Reads a TFLite PAD or PADV2; paddings and value must be constant."""
    x, paddings = op.tensor(0), op.constant(1)
    if paddings.shape != (len(x.shape), 2) or (paddings < 0).any():
        raise UnsupportedOp(
            f"paddings {paddings.tolist()} for an input {x.shape}", "the file is damaged: export it again"
        )
    pairs = tuple((int(before), int(after)) for before, after in paddings)
    value = 0.0
    if op.code == "PADV2":
        raw, filled = op.tensor(2), float(op.constant(2).reshape(-1)[0])
        value = (filled - raw.q.zero_point) * raw.q.scale if raw.dtype in QUANTIZED else filled
    return Pad(name=op.name, inputs=(x.name,), outputs=op.output_names, paddings=pairs, value=value)


TFLITE = dict.fromkeys(("PAD", "PADV2"), from_tflite)
from_uint8 = as_int8


def to_tflite(op: Pad, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite PAD."""
    paddings = integers(op, "paddings", op.paddings)
    if op.value == 0:
        return written(op, "PAD", [*inputs, paddings], outputs)
    y = outputs[0]
    value = Tensor(f"{op.name}/value", (1,), y.dtype, y.quant, np.array([op.fill(y)], y.dtype.numpy))
    return written(op, "PADV2", [*inputs, paddings, value], outputs)


def from_onnx(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX Pad; pads, value and axes must be constant. What repeats the edge or wraps around is gathered."""
    x = node.tensor(0)
    mode = node.attributes.get("mode", "constant")
    value = float(node.attributes.get("value", 0.0)) if node.optional(2) is None else float(node.constant(2).item())
    if mode not in ("constant", "reflect", "edge", "wrap") or abs(value) == float("inf"):
        raise UnsupportedOp(f"padding with {mode if mode != 'constant' else value}", "pad with a number")
    raw = node.attributes.get("pads")
    pads = [int(n) for n in (node.constant(1).reshape(-1) if raw is None else raw)]
    rank = len(x.shape)
    axes = list(range(rank))
    if node.optional(3) is not None:
        axes = [node.axis(int(a), rank) for a in node.constant(3).reshape(-1)]
    if len(pads) != 2 * len(axes) or len(set(axes)) != len(axes) or min(pads, default=0) < 0:
        raise UnsupportedOp(f"pads {pads} of axes {axes}", "export with pads that are not negative")
    pairs = dict(zip(axes, zip(pads[: len(axes)], pads[len(axes) :], strict=True), strict=True))
    paddings = tuple(pairs.get(i, (0, 0)) for i in range(rank))
    if mode == "reflect":
        return [node.add(MirrorPad, [x], "", integers=True, paddings=paddings, mode="reflect")]
    if mode != "constant":
        return [_gathered(node, x, paddings, mode)]
    return [node.add(Pad, [x], "", paddings=paddings, value=value)]


def _gathered(node: OnnxNode, x: Tensor, paddings: tuple[tuple[int, int], ...], mode: str) -> Tensor:
    """x grown along one axis after the other."""
    for axis, sides in enumerate(paddings):
        if any(sides):
            chosen = np.pad(np.arange(x.shape[axis]), sides, mode=mode)  # type: ignore[call-overload]
            fields = {"axis": axis, "indices": tuple(map(int, chosen)), "shape": chosen.shape}
            x = node.add(Gather, [x], f"axis{axis}", integers=True, **fields)
    return x


ONNX = {"Pad": from_onnx}
