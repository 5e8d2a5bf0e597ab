"""Operators that only put elements elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from midge.ir.tensor import Array
from midge.ops.families.move import FILL, Move
from midge.ops.registry import operators
from midge.train.forms import Form, Layer, Value


def reshape(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """The same elements."""
    return [values[0].reshape(len(values[0]), *layer.outputs[0].shape)]


def transpose(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """The axes behind that of the samples."""
    return [values[0].permute(0, *(1 + axis for axis in layer.op.permutation))]


def moved(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """By the operator's own map of indices."""
    if not layer.kept:
        maps = layer.op.positions(layer.inputs)
        layer.kept.update((y.name, _map(p)) for p, y in zip(maps, layer.outputs, strict=True))
    flat = values[0].reshape(len(values[0]), -1)
    found = []
    for y in layer.outputs:
        index, is_there = layer.kept[y.name]
        part = flat[:, index] if is_there is None else flat[:, index] * is_there
        found.append(part.reshape(len(flat), *y.shape))
    return found


def _map(positions: Array) -> tuple[Value, Value]:
    """Flat indices, and where elements come from none of them, if any do."""
    flat = positions.reshape(-1)
    is_there = torch.from_numpy(flat != FILL) if (flat == FILL).any() else None
    return torch.from_numpy(np.maximum(flat, 0)), is_there


def pad(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """torch counts axes from the last."""
    sides = [n for pair in reversed(layer.op.paddings) for n in pair]
    return [F.pad(values[0], sides, value=layer.op.value)]


def concatenation(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """Constants are repeated for each sample."""
    return [torch.cat(_alike(values), dim=1 + layer.op.axis)]


def pack(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """As concatenation, along a new axis."""
    return [torch.stack(_alike(values), dim=1 + layer.op.axis)]


def _alike(values: Sequence[Value]) -> list[Value]:
    samples = max(len(v) for v in values)
    return [v.expand(samples, *v.shape[1:]) for v in values]


def take(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """Indices of each sample, or the same for all."""
    x, indices = _alike(values)
    axis, size = layer.op.axis, layer.inputs[0].shape[layer.op.axis]
    chosen = torch.where(indices < 0, indices + size, indices).clamp(0, size - 1)
    rows = [torch.index_select(a, axis, b.reshape(-1)) for a, b in zip(x, chosen, strict=True)]
    return [torch.stack(rows).reshape(len(x), *layer.outputs[0].shape)]


FORMS: dict[str, Form] = {
    **{kind: moved for kind, operator in operators().items() if issubclass(operator, Move)},
    "concatenation": concatenation,
    "pack": pack,
    "pad": pad,
    "reshape": reshape,
    "take": take,
    "transpose": transpose,
}
