"""MIRROR_PAD: the input around itself, mirrored at each edge, with or without the edge itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from midge.ir.tensor import Array, Shape, Tensor
from midge.ops.families.move import Move
from midge.ops.formats import SourceOp
from midge.ops.tflite_writing import integers, written
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class MirrorPad(Move):
    """inputs: x. `paddings`: (before, after) of each dimension; "symmetric" repeats the edge, "reflect" does not."""

    paddings: tuple[tuple[int, int], ...]
    mode: Literal["reflect", "symmetric"]

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """Each dimension grown by its paddings, of which there cannot be more than there is to mirror."""
        x, edge = inputs[0].shape, int(self.mode == "reflect")
        if len(self.paddings) != len(x) or any(
            not 0 <= side <= n - edge for n, sides in zip(x, self.paddings, strict=True) for side in sides
        ):
            raise ValueError(f"paddings {self.paddings} ({self.mode}) for an input {x}")
        return (tuple(n + sum(sides) for n, sides in zip(x, self.paddings, strict=True)),)

    def moved(self, x: Array, fill: int) -> Sequence[Array]:
        """Mirrored."""
        return (np.pad(x, self.paddings, mode=self.mode) if self.paddings else x,)


def from_tflite(op: SourceOp) -> MirrorPad:
    """Reads a TFLite MIRROR_PAD; the paddings must be constant."""
    paddings = tuple((int(before), int(after)) for before, after in op.constant(1))
    mode: Literal["reflect", "symmetric"] = "symmetric" if op.attribute("Mode") == 1 else "reflect"
    return MirrorPad(name=op.name, inputs=(op.tensor(0).name,), outputs=op.output_names, paddings=paddings, mode=mode)


TFLITE = {"MIRROR_PAD": from_tflite}
from_uint8 = as_int8


def to_tflite(op: MirrorPad, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite MIRROR_PAD."""
    paddings = integers(op, "paddings", op.paddings)
    return written(op, "MIRROR_PAD", [*inputs, paddings], outputs, Mode=int(op.mode == "symmetric"))
