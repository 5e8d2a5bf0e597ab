"""ONNX operators that put values elsewhere: parts, ranges, repetitions, blocks of pixels."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import Tensor
from midge.ops.depth_to_space import DepthToSpace
from midge.ops.formats import UnsupportedOp
from midge.ops.gather import Gather
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.onnx_windows import channels_first, channels_last
from midge.ops.slice import Slice
from midge.ops.space_to_depth import SpaceToDepth
from midge.ops.split import Split
from midge.ops.take import Take
from midge.ops.tile import Tile

# The places of values that GatherElements chooses, which the operator keeps one by one.
_MOST_PLACES = 1 << 16
_DAMAGED = "the file is damaged: export it again"


def _split(node: OnnxNode) -> list[Tensor]:
    x, count = node.tensor(0), len(node.used)
    axis = node.axis(int(node.attributes.get("axis", 0)), len(x.shape))
    given = node.attributes.get("split")
    if node.optional(1) is not None:
        given = node.constant(1).reshape(-1)
    if given is None:
        part = -(-x.shape[axis] // count)
        sizes = [*[part] * (count - 1), x.shape[axis] - part * (count - 1)]
    else:
        sizes = [int(n) for n in given]
    if len(sizes) != count or min(sizes) < 0 or sum(sizes) != x.shape[axis]:
        raise UnsupportedOp(f"{count} parts {sizes} of {x.shape[axis]}", _DAMAGED)
    filled = [size for size in sizes if size]
    parts = iter(node.add_parts(Split, [x], len(filled), axis=axis, sizes=tuple(filled)))
    return [next(parts) if size else _without_elements(node, x, axis) for size in sizes]


def _without_elements(node: OnnxNode, x: Tensor, axis: int) -> Tensor:
    """A part of x of size 0: a constant."""
    shape = (*x.shape[:axis], 0, *x.shape[axis + 1 :])
    return replace(x, name=node.sketch.fresh(f"{node.name}/empty"), shape=shape, data=np.zeros(shape, x.dtype.numpy))


def _slice(node: OnnxNode) -> list[Tensor]:
    x = node.tensor(0)
    if "starts" in node.attributes:
        starts, ends = node.integers("starts", ()), node.integers("ends", ())
        axes, steps = node.integers("axes", range(len(starts))), (1,) * len(starts)
    else:
        starts, ends = (tuple(int(n) for n in node.constant(i).reshape(-1)) for i in (1, 2))
        axes = tuple(range(len(starts))) if node.optional(3) is None else tuple(map(int, node.constant(3).reshape(-1)))
        steps = (1,) * len(starts) if node.optional(4) is None else tuple(map(int, node.constant(4).reshape(-1)))
    ranges = [(0, n, 1) for n in x.shape]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        place = node.axis(axis, len(x.shape))
        if step == 0:
            raise UnsupportedOp("a step of 0", _DAMAGED)
        chosen = range(*slice(start, end, step).indices(x.shape[place]))
        # Python takes an end below the first index for one counted from the last; ONNX clamps it.
        if step < 0 and end < -x.shape[place]:
            chosen = range(*slice(start, None, step).indices(x.shape[place]))
        if not chosen:
            raise UnsupportedOp(f"{start}:{end}:{step} of {x.shape[place]} is empty", "export without the empty slice")
        ranges[place] = (chosen[0], len(chosen), step)
    shape = tuple(count for _, count, _ in ranges)
    return [x if shape == x.shape and _forward(ranges) else _moved(node, Slice, x, ranges=tuple(ranges), shape=shape)]


def _forward(ranges: list[tuple[int, int, int]]) -> bool:
    return all(step == 1 for _, count, step in ranges if count > 1)


def _gather(node: OnnxNode) -> list[Tensor]:
    x = node.tensor(0)
    axis = node.axis(int(node.attributes.get("axis", 0)), len(x.shape))
    if not node.tensor(1).is_constant:
        return [node.add(Take, [x, node.tensor(1)], "", integers=True, axis=axis)]
    indices = node.constant(1)
    chosen = tuple(node.axis(int(i), x.shape[axis]) for i in indices.reshape(-1))
    return [_moved(node, Gather, x, axis=axis, indices=chosen, shape=indices.shape)]


def _gather_elements(node: OnnxNode) -> list[Tensor]:
    """Constant places of single values: of all values in one row."""
    x, chosen = node.tensor(0), node.constant(1)
    axis = node.axis(int(node.attributes.get("axis", 0)), len(x.shape))
    if chosen.ndim != len(x.shape) or chosen.size > _MOST_PLACES:
        raise UnsupportedOp(f"places {list(chosen.shape)} in {list(x.shape)}", f"at most {_MOST_PLACES}")
    places = list(np.indices(chosen.shape))
    places[axis] = np.where(chosen < 0, chosen + x.shape[axis], chosen)
    flat = np.ravel_multi_index(tuple(places), x.shape).reshape(-1)
    row = node.reshape(x, (prod(x.shape),), "row")
    return [_moved(node, Gather, row, axis=0, indices=tuple(flat.tolist()), shape=chosen.shape)]


def _tile(node: OnnxNode) -> list[Tensor]:
    return [_moved(node, Tile, node.tensor(0), multiples=tuple(int(n) for n in node.constant(1).reshape(-1)))]


def _expand(node: OnnxNode) -> list[Tensor]:
    x = node.tensor(0)
    target = np.broadcast_shapes(x.shape, tuple(int(n) for n in node.constant(1).reshape(-1)))
    wide = (1,) * (len(target) - len(x.shape)) + x.shape
    multiples = tuple(n // m for n, m in zip(target, wide, strict=True))
    return [x if target == x.shape else _moved(node, Tile, x, multiples=multiples)]


def _depth_to_space(node: OnnxNode) -> list[Tensor]:
    x, block = node.tensor(0, rank=4), int(node.attribute("blocksize"))
    n, c, h, w = x.shape
    if block < 1 or c % (block * block):
        raise UnsupportedOp(f"{c} channels in blocks of {block}", _DAMAGED)
    if node.attributes.get("mode", "DCR") == "CRD":
        parts = node.reshape(x, (n, c // (block * block), block * block, h, w), "parts")
        x = node.reshape(node.transpose(parts, (0, 2, 1, 3, 4), "swapped"), (n, c, h, w), "blocks")
    y = node.add(DepthToSpace, [channels_last(node, x)], "", integers=True, block=block)
    return [channels_first(node, y, 4)]


def _space_to_depth(node: OnnxNode) -> list[Tensor]:
    x, block = node.tensor(0, rank=4), int(node.attribute("blocksize"))
    if block < 1 or x.shape[2] % block or x.shape[3] % block:
        raise UnsupportedOp(f"{list(x.shape)} in blocks of {block}", _DAMAGED)
    y = node.add(SpaceToDepth, [channels_last(node, x)], "", integers=True, block=block)
    return [channels_first(node, y, 4)]


def _moved(node: OnnxNode, kind: type[Op], x: Tensor, **fields: Any) -> Tensor:
    return node.add(kind, [x], "", integers=True, **fields)


ONNX = {
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Tile": _tile,
}
