"""Matrix products."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from midge.train.forms import Layer, Value, clamped


def fully_connected(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """Weights (units, depth); x seen as rows of that depth."""
    x, weights, *bias = values
    rows = x.reshape(-1, weights.shape[-1])
    y = clamped(F.linear(rows, weights[0], bias[0][0] if bias else None), layer.op.clamp)
    return [y.reshape(len(x), *layer.outputs[0].shape)]


def batch_matmul(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """Of the last two axes; the others are broadcast."""
    x, y = values
    op = layer.op
    a = x.transpose(-1, -2) if op.transpose_x else x
    b = y.transpose(-1, -2) if op.transpose_y else y
    while a.dim() < b.dim():
        a = a.unsqueeze(1)
    while b.dim() < a.dim():
        b = b.unsqueeze(1)
    return [torch.matmul(a, b)]


FORMS = {"fully_connected": fully_connected, "batch_matmul": batch_matmul}
