"""Draws operators that only move elements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from differential.drawn_cases import (
    Case,
    Rng,
    activation,
    case,
    constant,
    drawn_shape,
    drawn_values,
    like,
)
from midge.ir.tensor import DType, Tensor


def _transpose(code: str, dtype: DType, rng: Rng) -> Case:
    x = activation("x", drawn_shape(rng), dtype, rng)
    return case(code, rng, (x, constant("order", rng.permutation(len(x.shape)))), like(x))


def _slice(code: str, dtype: DType, rng: Rng) -> Case:
    x = activation("x", drawn_shape(rng), dtype, rng)
    begin = [int(rng.integers(0, n)) for n in x.shape]
    size = [-1 if rng.random() < 0.3 else int(rng.integers(1, n - b + 1)) for b, n in zip(begin, x.shape, strict=True)]
    return case(code, rng, (x, constant("begin", begin), constant("size", size)), like(x))


def _strided_slice(code: str, dtype: DType, rng: Rng) -> Case:
    """Every mask; ends beyond the edge; steps forwards and backwards; at times fewer bounds than dimensions."""
    x = activation("x", drawn_shape(rng), dtype, rng)
    count = len(x.shape) if rng.random() < 0.7 else int(rng.integers(1, len(x.shape) + 1))
    bounds, masks = [], dict.fromkeys(("BeginMask", "EndMask", "ShrinkAxisMask", "EllipsisMask", "NewAxisMask"), 0)
    for i, n in enumerate(x.shape[:count]):
        low, high = sorted(rng.choice(n + 1, 2, replace=False).tolist())
        step = int(rng.choice([1, 1, 2, 3]))
        if low > 0 and rng.random() < 0.3:
            low, high, step = (high - 1, low - 1, -step) if low > 1 else (high - 1, -n - 1, -step)
            masks["EndMask"] |= (high == -n - 1) << i
        elif rng.random() < 0.3:
            low -= n
        if high == n and step > 0:
            high += int(rng.integers(0, 3))
        if rng.random() < 0.2 and step > 0:
            masks[str(rng.choice(["BeginMask", "EndMask"]))] |= 1 << i
        elif rng.random() < 0.2:
            low, high, step = low % n, low % n + 1, 1
            masks["ShrinkAxisMask"] |= 1 << i
        bounds.append((low, high, step))
    columns = [constant(name, [b[k] for b in bounds]) for k, name in enumerate(("begin", "end", "strides"))]
    return case(code, rng, (x, *columns), like(x), masks)


def _split(code: str, dtype: DType, rng: Rng) -> Case:
    parts, dims = int(rng.integers(1, 4)), list(drawn_shape(rng))
    axis = int(rng.integers(0, len(dims)))
    dims[axis] *= parts
    x = activation("x", tuple(dims), dtype, rng)
    spelled = constant("axis", axis - len(dims) if rng.random() < 0.3 else axis)
    return case(code, rng, (spelled, x), like(x), {"NumSplits": parts}, count=parts)


def _split_v(code: str, dtype: DType, rng: Rng) -> Case:
    dims, sizes = list(drawn_shape(rng)), rng.integers(1, 4, int(rng.integers(1, 4)))
    axis = int(rng.integers(0, len(dims)))
    dims[axis] = int(sizes.sum())
    if rng.random() < 0.3:
        sizes[rng.integers(len(sizes))] = -1
    x = activation("x", tuple(dims), dtype, rng)
    options = {"NumSplits": len(sizes)}
    return case(code, rng, (x, constant("sizes", sizes), constant("axis", axis)), like(x), options, count=len(sizes))


def _unpack(code: str, dtype: DType, rng: Rng) -> Case:
    x = activation("x", drawn_shape(rng, int(rng.integers(2, 5))), dtype, rng)
    axis = int(rng.integers(0, len(x.shape)))
    count = x.shape[axis]
    spelled = axis - len(x.shape) if rng.random() < 0.3 else axis
    return case(code, rng, (x,), like(x), {"Axis": spelled, "Num": count}, count=count)


def _gather(code: str, dtype: DType, rng: Rng) -> Case:
    x = activation("x", drawn_shape(rng), dtype, rng)
    axis = int(rng.integers(0, len(x.shape)))
    chosen = rng.integers(0, x.shape[axis], drawn_shape(rng, int(rng.integers(0, 3))))
    return case(code, rng, (x, constant("indices", chosen)), like(x), {"Axis": axis})


def _tile(code: str, dtype: DType, rng: Rng) -> Case:
    x = activation("x", drawn_shape(rng), dtype, rng)
    return case(code, rng, (x, constant("multiples", rng.integers(1, 4, len(x.shape)))), like(x))


def _broadcast_to(code: str, dtype: DType, rng: Rng) -> Case:
    wide = drawn_shape(rng)
    narrow = tuple(1 if rng.random() < 0.5 else n for n in wide)[int(rng.integers(0, len(wide))) :]
    x = activation("x", narrow, dtype, rng)
    return case(code, rng, (x, constant("shape", wide)), replace(like(x), shape=wide))


def _mirror_pad(code: str, dtype: DType, rng: Rng) -> Case:
    mode, x = int(rng.integers(0, 2)), activation("x", drawn_shape(rng), dtype, rng)
    paddings = [[int(rng.integers(0, n + mode)) for _ in range(2)] for n in x.shape]
    return case(code, rng, (x, constant("paddings", paddings)), like(x), {"Mode": mode})


def _depth_to_space(code: str, dtype: DType, rng: Rng) -> Case:
    block, (n, h, w, c) = int(rng.integers(1, 4)), drawn_shape(rng, 4)
    x = activation("x", (n, h, w, c * block * block), dtype, rng)
    return case(code, rng, (x,), like(x), {"BlockSize": block})


def _space_to_depth(code: str, dtype: DType, rng: Rng) -> Case:
    block, (n, h, w, c) = int(rng.integers(1, 4)), drawn_shape(rng, 4)
    x = activation("x", (n, h * block, w * block, c), dtype, rng)
    return case(code, rng, (x,), like(x), {"BlockSize": block})


def _space_to_batch(code: str, dtype: DType, rng: Rng) -> Case:
    block, inner = rng.integers(1, 4, 2), rng.integers(1, 5, 2)
    paddings = rng.integers(0, 3, (2, 2))
    size = np.maximum(block * inner - paddings.sum(axis=1), 1)
    paddings[:, 1] += -(size + paddings.sum(axis=1)) % block
    x = activation("x", (int(rng.integers(1, 3)), *map(int, size), int(rng.integers(1, 5))), dtype, rng)
    return case(code, rng, (x, constant("block", block), constant("paddings", paddings)), like(x))


def _batch_to_space(code: str, dtype: DType, rng: Rng) -> Case:
    block, inner = rng.integers(1, 4, 2), rng.integers(1, 5, 2)
    crops = [[int(rng.integers(0, n)), 0] for n in block * inner]
    batch = int(rng.integers(1, 3)) * int(np.prod(block))
    x = activation("x", (batch, *map(int, inner), int(rng.integers(1, 5))), dtype, rng)
    return case(code, rng, (x, constant("block", block), constant("crops", crops)), like(x))


def draw_resize(code: str, dtype: DType, rng: Rng) -> Case:
    """To a smaller or larger image, by each way of counting pixels."""
    x = activation("x", drawn_shape(rng, 4), dtype, rng)
    way = int(rng.integers(0, 3))
    options = {"AlignCorners": way == 1, "HalfPixelCenters": way == 2}
    return case(code, rng, (x, constant("size", rng.integers(1, 12, 2))), like(x), options)


def _reverse(code: str, dtype: DType, rng: Rng) -> Case:
    """One axis: TFLite's own kernel does not do more."""
    x = activation("x", drawn_shape(rng), dtype, rng)
    return case(code, rng, (x, constant("axes", [int(rng.integers(0, len(x.shape)))])), like(x))


def _pack(code: str, dtype: DType, rng: Rng) -> Case:
    first = activation("x0", drawn_shape(rng, int(rng.integers(0, 4))), dtype, rng)
    others = [replace(first, name=f"x{i}") for i in range(1, int(rng.integers(1, 5)))]
    axis = int(rng.integers(0, len(first.shape) + 1))
    options = {"Axis": axis - len(first.shape) - 1 if rng.random() < 0.3 else axis, "ValuesCount": len(others) + 1}
    return case(code, rng, (first, *others), Tensor("y", (), dtype, first.quant), options)


def _lookup(code: str, dtype: DType, rng: Rng) -> Case:
    """Rows of a table, which is constant at times."""
    x = activation("x", drawn_shape(rng, int(rng.integers(2, 4))), dtype, rng)
    x = replace(x, data=drawn_values(x, rng)) if rng.random() < 0.5 else x
    indices = Tensor("indices", (int(rng.integers(1, 6)),), DType.S32)
    drawn = case(code, rng, (indices, x), like(x))
    chosen = rng.integers(0, x.shape[0], indices.shape).astype(np.int32)
    return replace(drawn, values=(chosen, *drawn.values[1:]))


def _gather_nd(code: str, dtype: DType, rng: Rng) -> Case:
    """Places in some of the first dimensions."""
    x = activation("x", drawn_shape(rng), dtype, rng)
    depth = int(rng.integers(1, len(x.shape) + 1))
    shape = (*drawn_shape(rng, int(rng.integers(1, 3))), depth)
    indices = Tensor("indices", shape, DType.S32)
    chosen = rng.integers(0, x.shape[:depth], shape).astype(np.int32)
    if rng.random() < 0.3:
        return case(code, rng, (x, replace(indices, data=chosen)), like(x))
    drawn = case(code, rng, (x, indices), like(x))
    return replace(drawn, values=(drawn.values[0], chosen))


# What takes from places that are known at run time only.
TAKES: Mapping[str, Callable[[str, DType, Rng], Case]] = {"EMBEDDING_LOOKUP": _lookup, "GATHER_ND": _gather_nd}
DRAWS: Mapping[str, Callable[[str, DType, Rng], Case]] = {
    "BATCH_TO_SPACE_ND": _batch_to_space,
    "BROADCAST_TO": _broadcast_to,
    "DEPTH_TO_SPACE": _depth_to_space,
    "GATHER": _gather,
    "MIRROR_PAD": _mirror_pad,
    "PACK": _pack,
    "RESIZE_NEAREST_NEIGHBOR": draw_resize,
    "REVERSE_V2": _reverse,
    "SLICE": _slice,
    "SPACE_TO_BATCH_ND": _space_to_batch,
    "SPACE_TO_DEPTH": _space_to_depth,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "STRIDED_SLICE": _strided_slice,
    "TILE": _tile,
    "TRANSPOSE": _transpose,
    "UNPACK": _unpack,
}
