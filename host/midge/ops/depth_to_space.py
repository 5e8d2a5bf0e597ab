"""DEPTH_TO_SPACE: each pixel's channels as a block of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from midge.ir.tensor import Array, Tensor
from midge.ops.families.move import Move
from midge.ops.formats import SourceOp
from midge.ops.tflite_writing import written
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class DepthToSpace(Move):
    """inputs: x (N, H, W, C). `block`: height and width of the block that each pixel becomes."""

    block: int

    def moved(self, x: Array, fill: int) -> Sequence[Array]:
        """Rows and columns of the block are the outermost parts of the channel."""
        (n, h, w, c), b = x.shape, self.block
        split = x.reshape(n, h, w, b, b, c // (b * b))
        return (split.transpose(0, 1, 3, 2, 4, 5).reshape(n, h * b, w * b, c // (b * b)),)


def from_tflite(op: SourceOp) -> DepthToSpace:
    """Reads a TFLite DEPTH_TO_SPACE."""
    block = int(op.attribute("BlockSize"))
    return DepthToSpace(name=op.name, inputs=(op.tensor(0, 4).name,), outputs=op.output_names, block=block)


TFLITE = {"DEPTH_TO_SPACE": from_tflite}
from_uint8 = as_int8


def to_tflite(op: DepthToSpace, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite DEPTH_TO_SPACE."""
    return written(op, "DEPTH_TO_SPACE", inputs, outputs, BlockSize=op.block)
