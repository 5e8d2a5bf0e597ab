"""TILE and BROADCAST_TO: the whole tensor several times along each dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from midge.ir.tensor import Array, Shape, Tensor
from midge.ops.families.move import Move
from midge.ops.formats import SourceOp
from midge.ops.tflite_writing import integers, written
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Tile(Move):
    """inputs: x. `multiples`: how often each dimension is repeated; more of them than x has put ones in front."""

    multiples: tuple[int, ...]

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """Each dimension times its multiple."""
        x = inputs[0].shape
        if len(self.multiples) < len(x) or any(m < 1 for m in self.multiples):
            raise ValueError(f"multiples {self.multiples} of an input {x}")
        wide = (1,) * (len(self.multiples) - len(x)) + x
        return (tuple(n * m for n, m in zip(wide, self.multiples, strict=True)),)

    def moved(self, x: Array, fill: int) -> Sequence[Array]:
        """The repetitions."""
        return (np.tile(x, self.multiples),)


def from_tflite(op: SourceOp) -> Tile:
    """Reads a TFLite TILE; the multiples must be constant."""
    multiples = tuple(int(m) for m in op.constant(1).reshape(-1))
    return Tile(name=op.name, inputs=(op.tensor(0).name,), outputs=op.output_names, multiples=multiples)


def from_tflite_broadcast(op: SourceOp) -> Tile:
    """Reads a TFLite BROADCAST_TO; the shape is the declared one of the output."""
    x, shape = op.tensor(0), op.output().shape
    wide = (1,) * (len(shape) - len(x.shape)) + x.shape
    multiples = tuple(n // m for n, m in zip(shape, wide, strict=True))
    return Tile(name=op.name, inputs=(x.name,), outputs=op.output_names, multiples=multiples)


TFLITE = {"TILE": from_tflite, "BROADCAST_TO": from_tflite_broadcast}
from_uint8 = as_int8


def to_tflite(op: Tile, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite TILE."""
    x, multiples = inputs[0], integers(op, "multiples", op.multiples)
    if len(op.multiples) == len(x.shape):
        return written(op, "TILE", [x, multiples], outputs)
    shape = (1,) * (len(op.multiples) - len(x.shape)) + x.shape
    wide = replace(x, name=f"{op.name}/wide", shape=shape)
    reshape = SourceOp("RESHAPE", f"{op.name}/reshape", (x, integers(op, "shape", shape)), (wide,), {"NewShape": shape})
    return [reshape, *written(op, "TILE", [wide, multiples], outputs)]
