"""BATCH_TO_SPACE_ND: images that hold each a place of a block, put together and cropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from midge.ir.tensor import Array, Tensor
from midge.ops.families.move import Move
from midge.ops.formats import SourceOp
from midge.ops.tflite_writing import integers, written
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class BatchToSpaceNd(Move):
    """inputs: x (N, spatial..., rest...). `block` and `crops`: of each spatial dimension."""

    block: tuple[int, ...]
    crops: tuple[tuple[int, int], ...]

    def moved(self, x: Array, fill: int) -> Sequence[Array]:
        """The inverse of SPACE_TO_BATCH_ND."""
        count, size = len(self.block), prod(self.block)
        if len(self.crops) != count or size < 1 or x.shape[0] % size or any(min(c) < 0 for c in self.crops):
            raise ValueError(f"block {self.block} and crops {self.crops} for an input {x.shape}")
        batch, inner, rest = x.shape[0] // size, x.shape[1 : 1 + count], x.shape[1 + count :]
        split = x.reshape(*self.block, batch, *inner, *rest)
        pairs = [axis for i in range(count) for axis in (count + 1 + i, i)]
        order = (count, *pairs, *range(2 * count + 1, split.ndim))
        whole = split.transpose(order).reshape(batch, *(n * b for n, b in zip(inner, self.block, strict=True)), *rest)
        sizes = whole.shape[1 : 1 + count]
        cuts = (slice(before, n - after) for n, (before, after) in zip(sizes, self.crops, strict=True))
        return (whole[(slice(None), *cuts)],)


def from_tflite(op: SourceOp) -> BatchToSpaceNd:
    """Reads a TFLite BATCH_TO_SPACE_ND; block and crops must be constant."""
    return BatchToSpaceNd(
        name=op.name,
        inputs=(op.tensor(0).name,),
        outputs=op.output_names,
        block=tuple(int(b) for b in op.constant(1).reshape(-1)),
        crops=tuple((int(before), int(after)) for before, after in op.constant(2)),
    )


TFLITE = {"BATCH_TO_SPACE_ND": from_tflite}
from_uint8 = as_int8


def to_tflite(op: BatchToSpaceNd, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite BATCH_TO_SPACE_ND."""
    fields = integers(op, "block", op.block), integers(op, "crops", op.crops)
    return written(op, "BATCH_TO_SPACE_ND", [*inputs, *fields], outputs)
