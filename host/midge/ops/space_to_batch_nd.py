"""SPACE_TO_BATCH_ND: the pixels at each place of a block, zeros around the input included, as an image of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from midge.ir.tensor import Array, Shape, Tensor
from midge.ops.families.move import Move
from midge.ops.formats import SourceOp
from midge.ops.tflite_writing import integers, written
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class SpaceToBatchNd(Move):
    """inputs: x (N, spatial..., rest...). `block` and `paddings`: of each spatial dimension."""

    block: tuple[int, ...]
    paddings: tuple[tuple[int, int], ...]

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """The padded spatial dimensions divided by the block, the batch times it."""
        (batch, *rest), count = inputs[0].shape, len(self.block)
        if len(self.paddings) != count or len(rest) < count or min(*self.block, 1) < 1:
            raise ValueError(f"block {self.block} and paddings {self.paddings} for an input {inputs[0].shape}")
        padded = [n + sum(p) for n, p in zip(rest[:count], self.paddings, strict=True)]
        if any(n % b for n, b in zip(padded, self.block, strict=True)) or any(min(p) < 0 for p in self.paddings):
            raise ValueError(f"blocks of {self.block} do not divide {padded}")
        inner = [n // b for n, b in zip(padded, self.block, strict=True)]
        return ((batch * prod(self.block), *inner, *rest[count:]),)

    def moved(self, x: Array, fill: int) -> Sequence[Array]:
        """Place in the block outermost, then the image, then the block's place."""
        count = len(self.block)
        still = [(0, 0)] * (x.ndim - 1 - count)
        padded = np.pad(x, [(0, 0), *self.paddings, *still], constant_values=fill)
        inner = [n // b for n, b in zip(padded.shape[1:], self.block, strict=False)]
        rest = x.shape[1 + count :]
        pairs = [n for pair in zip(inner, self.block, strict=True) for n in pair]
        split = padded.reshape(x.shape[0], *pairs, *rest)
        blocks, places = range(2, 2 * count + 2, 2), range(1, 2 * count + 1, 2)
        order = (*blocks, 0, *places, *range(2 * count + 1, split.ndim))
        return (split.transpose(order).reshape(x.shape[0] * prod(self.block), *inner, *rest),)


def from_tflite(op: SourceOp) -> SpaceToBatchNd:
    """Reads a TFLite SPACE_TO_BATCH_ND; block and paddings must be constant."""
    return SpaceToBatchNd(
        name=op.name,
        inputs=(op.tensor(0).name,),
        outputs=op.output_names,
        block=tuple(int(b) for b in op.constant(1).reshape(-1)),
        paddings=tuple((int(before), int(after)) for before, after in op.constant(2)),
    )


TFLITE = {"SPACE_TO_BATCH_ND": from_tflite}
from_uint8 = as_int8


def to_tflite(op: SpaceToBatchNd, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite SPACE_TO_BATCH_ND."""
    fields = integers(op, "block", op.block), integers(op, "paddings", op.paddings)
    return written(op, "SPACE_TO_BATCH_ND", [*inputs, *fields], outputs)
