"""Constants that a TFLite file stores sparse, made dense.

A sparse constant is a tree: each level goes along one dimension of the tensor, or of the dense blocks that it is cut
into. A dense level has every coordinate, a compressed one those that it lists: the children of node i are the entries
segments[i] .. segments[i + 1] - 1 of its indices. The values belong to the leaves, in order; all else is 0.
Source: SparsityParameters in tensorflow/lite/schema/schema.fbs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray
from tflite.DimensionType import DimensionType
from tflite.SparseIndexVector import SparseIndexVector

from midge.importers.flatbuffer import DamagedFile
from midge.importers.limits import MAX_DENSIFIED_BYTES
from midge.ir.tensor import Shape
from midge.ops.formats import UnsupportedOp

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

_INDEX_TYPES: Mapping[int, np.dtype[Any]] = {
    SparseIndexVector.Int32Vector: np.dtype("<i4"),
    SparseIndexVector.Uint16Vector: np.dtype("<u2"),
    SparseIndexVector.Uint8Vector: np.dtype("u1"),
}
# The slot of the values in each of the index vectors, as an offset into the list of fields.
_VALUES = 4


@dataclass(frozen=True, eq=False)
class _Level:
    """`size` coordinates, each `stride` elements apart; `segments` and `indices` where the level is compressed."""

    size: int
    stride: int
    segments: Ints | None = None
    indices: Ints | None = None


def densify(content: Bytes, sparsity: Any, name: str, shape: Shape, element_bytes: int) -> Bytes:
    """The bytes of the whole constant. Raises DamagedFile where the tree contradicts itself, the shape or the values.

    UnsupportedOp for an order of blocks that no converter writes, and beyond MAX_DENSIFIED_BYTES.
    """
    size = prod(shape) * element_bytes
    if size > MAX_DENSIFIED_BYTES:
        reason = f"the sparse tensor {name} has {size} bytes when it is dense, more than {MAX_DENSIFIED_BYTES}"
        raise UnsupportedOp(reason, "use a smaller network; no microcontroller holds this one")
    try:
        levels = _levels(sparsity, shape)
        leaves = _count_leaves(levels)
    except ValueError as problem:
        if isinstance(problem, UnsupportedOp):
            raise
        raise DamagedFile(f"the sparse tensor {name} cannot be: {problem}") from problem
    if len(content) != leaves * element_bytes:
        raise DamagedFile(f"the sparse tensor {name} has {len(content)} bytes for {leaves} values")
    places = np.zeros(1, np.int64)
    for level in levels:
        if level.segments is None or level.indices is None:
            places = (places[:, None] + np.arange(level.size) * level.stride).reshape(-1)
        else:
            places = np.repeat(places, np.diff(level.segments)) + level.indices * level.stride
    dense = np.zeros((prod(shape), element_bytes), np.uint8)
    dense[places] = content.reshape(leaves, element_bytes)
    return dense.reshape(-1)


def _levels(sparsity: Any, shape: Shape) -> list[_Level]:
    rank = len(shape)
    order = [int(sparsity.TraversalOrder(i)) for i in range(sparsity.TraversalOrderLength())]
    blocked = [int(sparsity.BlockMap(i)) for i in range(sparsity.BlockMapLength())]
    if sorted(order) != list(range(rank + len(blocked))) or sparsity.DimMetadataLength() != len(order):
        raise ValueError(f"its levels {order} do not go over {rank} dimensions and {len(blocked)} of blocks")
    if blocked != sorted(set(blocked)) or not set(blocked) <= set(range(rank)):
        raise ValueError(f"its blocks are along the dimensions {blocked} of {rank}")
    if order[rank:] != list(range(rank, len(order))):
        raise UnsupportedOp(f"a sparse tensor with its levels in the order {order}", "export with dense weights")
    tables = [sparsity.DimMetadata(i) for i in range(len(order))]
    blocks = dict(zip(blocked, (int(t.DenseSize()) for t in tables[rank:]), strict=True))
    if any(block < 1 or shape[axis] % block for axis, block in blocks.items()):
        raise ValueError(f"blocks of {[*blocks.values()]} do not divide its shape {list(shape)}")
    strides = [prod(shape[axis + 1 :]) for axis in range(rank)]
    whole = [
        _level(table, shape[axis] // blocks.get(axis, 1), strides[axis] * blocks.get(axis, 1))
        for axis, table in zip(order, tables, strict=False)
        if axis < rank
    ]
    inside = [
        _level(table, block, strides[axis]) for (axis, block), table in zip(blocks.items(), tables[rank:], strict=True)
    ]
    if any(level.segments is not None for level in inside):
        raise UnsupportedOp("a sparse tensor whose blocks are sparse themselves", "export with dense weights")
    return [*whole, *inside]


def _level(table: Any, size: int, stride: int) -> _Level:
    if table.Format() == DimensionType.DENSE:
        if table.DenseSize() != size:
            raise ValueError(f"a dense level has {table.DenseSize()} coordinates where there are {size}")
        return _Level(size, stride)
    if table.Format() != DimensionType.SPARSE_CSR:
        raise ValueError(f"a level has the unknown format {table.Format()}")
    segments = _numbers(table.ArraySegments(), table.ArraySegmentsType())
    indices = _numbers(table.ArrayIndices(), table.ArrayIndicesType())
    if not len(segments) or segments[0] != 0 or segments[-1] != len(indices) or (np.diff(segments) < 0).any():
        raise ValueError("the segments of a level do not divide its indices")
    if len(indices) and (indices.min() < 0 or indices.max() >= size):
        raise ValueError(f"a level has a coordinate beyond {size}")
    first = np.zeros(len(indices) + 1, bool)
    first[segments] = True
    if (~first[1:-1] & (np.diff(indices) <= 0)).any():
        raise ValueError("the coordinates of a level do not rise")
    return _Level(size, stride, segments, indices)


def _numbers(table: Any, kind: int) -> Ints:
    """The entries of an index vector, which is one of three types of table."""
    if table is None or kind not in _INDEX_TYPES:
        raise ValueError(f"indices of the unknown type {kind}")
    dtype = _INDEX_TYPES[kind]
    fields = flatbuffers.table.Table(table.Bytes, table.Pos)
    offset = fields.Offset(_VALUES)
    if not offset:
        return np.zeros(0, np.int64)
    start, length = fields.Vector(offset), fields.VectorLen(offset)
    if start + length * dtype.itemsize > len(table.Bytes):
        raise ValueError("indices reach past the end of the file")
    return np.frombuffer(table.Bytes, dtype, length, start).astype(np.int64)


def _count_leaves(levels: list[_Level]) -> int:
    nodes = 1
    for level in levels:
        if level.segments is None or level.indices is None:
            nodes *= level.size
        elif len(level.segments) != nodes + 1:
            raise ValueError(f"a level has {len(level.segments)} segments for {nodes} nodes")
        else:
            nodes = len(level.indices)
    return nodes
