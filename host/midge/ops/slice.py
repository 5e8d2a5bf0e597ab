"""SLICE and STRIDED_SLICE: a range of indices of each dimension, in steps that may be negative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from midge.ir.graph import Op, Permutation
from midge.ir.tensor import Array, Shape, Tensor
from midge.ops.families.move import Move
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.tflite_writing import integers, written
from midge.ops.uint8 import as_int8

_EMPTY = "export the model without the empty slice"


@dataclass(frozen=True, kw_only=True)
class Slice(Move):
    """inputs: x. `ranges`: (first, count, step) of each dimension of x. `shape`: the output's, without dropped axes."""

    ranges: tuple[tuple[int, int, int], ...]
    shape: Shape

    def moved(self, x: Array, fill: int) -> Sequence[Array]:
        """The elements at the chosen indices."""
        if len(self.ranges) != x.ndim or prod(count for _, count, _ in self.ranges) != prod(self.shape):
            raise ValueError(f"{self.ranges} of an input {x.shape} is no {self.shape}")
        for (first, count, step), n in zip(self.ranges, x.shape, strict=True):
            if count < 1 or step == 0 or not (0 <= first < n and 0 <= first + (count - 1) * step < n):
                raise ValueError(f"{self.ranges} reaches outside of {x.shape}")
        cuts = tuple(_cut(*chosen) for chosen in self.ranges)
        return (x[cuts].reshape(self.shape),)

    def permuted(self, permutation: Permutation) -> tuple[Op, Permutation] | None:
        """Of the renamed axes, where none is dropped."""
        if self.shape != tuple(count for _, count, _ in self.ranges):
            return None
        before = np.argsort(permutation)
        ranges = tuple(self.ranges[axis] for axis in before)
        return replace(self, ranges=ranges, shape=tuple(count for _, count, _ in ranges)), permutation


def _cut(first: int, count: int, step: int) -> slice:
    end = first + count * step
    return slice(first, end if end >= 0 else None, step)


def from_tflite(op: SourceOp) -> Slice:
    """Reads a TFLite SLICE; where it begins and how large it is must be constant."""
    x = op.tensor(0)
    begin, size = ([int(v) for v in op.constant(i).reshape(-1)] for i in (1, 2))
    ranges = tuple((b, n - b if s == -1 else s, 1) for b, s, n in zip(begin, size, x.shape, strict=True))
    shape = tuple(count for _, count, _ in ranges)
    return Slice(name=op.name, inputs=(x.name,), outputs=op.output_names, ranges=ranges, shape=shape)


def from_tflite_strided(op: SourceOp) -> Slice:
    """Reads a TFLite STRIDED_SLICE with all its masks; begin, end and strides must be constant."""
    x = op.tensor(0)
    begin, end, strides = ([int(v) for v in op.constant(i).reshape(-1)] for i in (1, 2, 3))
    if op.attributes.get("Offset", False):
        end = [b + e for b, e in zip(begin, end, strict=True)]
    masks = {name: int(op.attributes.get(f"{name}Mask", 0)) for name in _MASKS}
    fresh = sum(masks["NewAxis"] >> i & 1 and not masks["Ellipsis"] >> i & 1 for i in range(len(begin)))
    sizes, ranges, shape = list(x.shape), list[tuple[int, int, int]](), list[int]()
    for i, bounds in enumerate(zip(begin, end, strides, strict=True)):
        is_set = {name: mask >> i & 1 for name, mask in masks.items()}
        if is_set["Ellipsis"]:
            skipped = len(x.shape) - (len(begin) - 1 - fresh)
            for _ in range(skipped):
                ranges.append((0, sizes[0], 1))
                shape.append(sizes.pop(0))
        elif is_set["NewAxis"]:
            shape.append(1)
        else:
            ranges.append(_range(bounds, sizes.pop(0), is_set))
            shape += [] if is_set["ShrinkAxis"] else [ranges[-1][1]]
    ranges += [(0, n, 1) for n in sizes]
    return Slice(name=op.name, inputs=(x.name,), outputs=op.output_names, ranges=tuple(ranges), shape=(*shape, *sizes))


_MASKS = ("Begin", "End", "Ellipsis", "NewAxis", "ShrinkAxis")


def _range(bounds: tuple[int, int, int], size: int, is_set: dict[str, int]) -> tuple[int, int, int]:
    """(first, count, step) of one dimension of `size`."""
    begin, end, step = bounds
    if is_set["ShrinkAxis"]:
        return (begin + size if begin < 0 else begin), 1, 1
    chosen = range(*slice(None if is_set["Begin"] else begin, None if is_set["End"] else end, step).indices(size))
    if not chosen:
        raise UnsupportedOp(f"{begin}:{end}:{step} of a dimension of {size} is empty", _EMPTY)
    return chosen[0], len(chosen), step


TFLITE = {"SLICE": from_tflite, "STRIDED_SLICE": from_tflite_strided}
from_uint8 = as_int8


def to_tflite(op: Slice, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite STRIDED_SLICE."""
    first, count, step = (integers(op, what, v) for what, v in zip(("begin", "size", "step"), zip(*op.ranges)))
    sizes = tuple(n for _, n, _ in op.ranges)
    sliced = outputs[0] if sizes == op.shape else replace(outputs[0], name=f"{op.name}/sliced", shape=sizes)
    if all(s == 1 for _, _, s in op.ranges):
        ops = written(op, "SLICE", [*inputs, first, count], [sliced])
    else:
        ends, mask = [], 0
        for i, (begin, n, s) in enumerate(op.ranges):
            end = begin + n * s
            ends.append(max(end, 0))
            mask |= (end < 0) << i
        options = dict.fromkeys(("BeginMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask"), 0)
        given = [*inputs, first, integers(op, "end", ends), step]
        ops = written(op, "STRIDED_SLICE", given, [sliced], EndMask=mask, **options)
    if sliced is outputs[0]:
        return ops
    shape = integers(op, "shape", op.shape)
    return [*ops, SourceOp("RESHAPE", f"{op.name}/reshape", (sliced, shape), tuple(outputs), {"NewShape": op.shape})]
