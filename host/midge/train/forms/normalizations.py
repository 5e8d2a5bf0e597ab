"""Functions of a whole row, and images resized."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from midge.ops.l2_normalization import EPSILON
from midge.train.forms import Form, Layer, Value


def softmax(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """Along the last axis."""
    return [torch.softmax(values[0] * layer.op.beta if layer.op.beta != 1 else values[0], -1)]


def log_softmax(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """Along the last axis."""
    return [torch.log_softmax(values[0], -1)]


def l2_normalization(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """Rows of length 1."""
    return [F.normalize(values[0], dim=-1, eps=EPSILON)]


def layer_normalization(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """Rows of mean 0 and variance 1, scaled and moved."""
    x, *constants = values
    scale, offset = (t.reshape(-1).expand(x.shape[-1]) for t in constants)
    return [F.layer_norm(x, x.shape[-1:], scale, offset, layer.op.epsilon)]


def resize_bilinear(layer: Layer, values: Sequence[Value]) -> list[Value]:
    """Weighted sums of rows, then of columns, with the operator's own weights."""
    if not layer.kept:
        layer.kept.update(rows=_blend(layer, 0), columns=_blend(layer, 1))
    return [torch.einsum("snhwc,oh,pw->snopc", values[0], layer.kept["rows"], layer.kept["columns"])]


def _blend(layer: Layer, axis: int) -> Value:
    found = layer.op.neighbors(axis, layer.inputs[0], True)
    matrix = np.zeros((len(found.low), layer.inputs[0].shape[1 + axis]), np.float32)
    places = np.arange(len(found.low))
    np.add.at(matrix, (places, found.low), 1 - found.part)
    np.add.at(matrix, (places, found.high), found.part)
    return torch.from_numpy(matrix)


FORMS: dict[str, Form] = {
    "l2_normalization": l2_normalization,
    "layer_normalization": layer_normalization,
    "log_softmax": log_softmax,
    "resize_bilinear": resize_bilinear,
    "softmax": softmax,
}
