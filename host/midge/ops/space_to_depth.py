"""SPACE_TO_DEPTH: each block of pixels as the channels of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from midge.ir.tensor import Array, Tensor
from midge.ops.families.move import Move
from midge.ops.formats import SourceOp
from midge.ops.tflite_writing import written
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class SpaceToDepth(Move):
    """inputs: x (N, H, W, C). `block`: height and width of the block that becomes one pixel."""

    block: int

    def moved(self, x: Array, fill: int) -> Sequence[Array]:
        """Rows and columns of the block become the outermost parts of the channel."""
        (n, h, w, c), b = x.shape, self.block
        split = x.reshape(n, h // b, b, w // b, b, c)
        return (split.transpose(0, 1, 3, 2, 4, 5).reshape(n, h // b, w // b, b * b * c),)


def from_tflite(op: SourceOp) -> SpaceToDepth:
    """Reads a TFLite SPACE_TO_DEPTH."""
    block = int(op.attribute("BlockSize"))
    return SpaceToDepth(name=op.name, inputs=(op.tensor(0, 4).name,), outputs=op.output_names, block=block)


TFLITE = {"SPACE_TO_DEPTH": from_tflite}
from_uint8 = as_int8


def to_tflite(op: SpaceToDepth, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite SPACE_TO_DEPTH."""
    return written(op, "SPACE_TO_DEPTH", inputs, outputs, BlockSize=op.block)
