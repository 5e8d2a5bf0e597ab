"""ONNX operators that only move or rename values: shapes, axes, and what training leaves behind."""

from __future__ import annotations

from math import prod

from midge.ir.tensor import Tensor
from midge.ops.formats import UnsupportedOp
from midge.ops.onnx_nodes import OnnxNode

_DAMAGED = "the file is damaged: export it again"


def _identity(node: OnnxNode) -> list[Tensor]:
    return [node.tensor(0)]


def _dropout(node: OnnxNode) -> list[Tensor]:
    node.only_output()
    if node.optional(2) is not None and node.constant(2).any():
        raise UnsupportedOp("dropout in training mode", "export the model in inference mode")
    return [node.tensor(0)]


def _transpose(node: OnnxNode) -> list[Tensor]:
    x = node.tensor(0)
    return [node.transpose(x, node.integers("perm", range(len(x.shape))[::-1]))]


def _reshape(node: OnnxNode) -> list[Tensor]:
    x = node.tensor(0)
    raw = node.attributes.get("shape")
    wanted = [int(n) for n in (node.constant(1).reshape(-1) if raw is None else raw)]
    if not node.attributes.get("allowzero", 0):
        if any(n == 0 and i >= len(x.shape) for i, n in enumerate(wanted)):
            raise UnsupportedOp(f"the shape {wanted} of an input {list(x.shape)}", _DAMAGED)
        wanted = [x.shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    if wanted.count(-1) > 1 or min(wanted, default=1) < -1 or 0 in wanted:
        raise UnsupportedOp(f"the shape {wanted}", "export the model without empty tensors")
    if -1 in wanted:
        rest = prod(n for n in wanted if n != -1)
        wanted[wanted.index(-1)] = prod(x.shape) // rest
    return [node.reshape(x, wanted)]


def _flatten(node: OnnxNode) -> list[Tensor]:
    x = node.tensor(0)
    rank, axis = len(x.shape), int(node.attributes.get("axis", 1))
    if not -rank <= axis <= rank:
        raise UnsupportedOp(f"axis {axis} of {rank} dimensions", _DAMAGED)
    axis += rank if axis < 0 else 0
    return [node.reshape(x, (prod(x.shape[:axis]), prod(x.shape[axis:])))]


def _squeeze(node: OnnxNode) -> list[Tensor]:
    x = node.tensor(0)
    axes = node.axes(1, len(x.shape))
    if axes is None:
        axes = tuple(i for i, n in enumerate(x.shape) if n == 1)
    return [node.reshape(x, (n for i, n in enumerate(x.shape) if i not in axes))]


def _unsqueeze(node: OnnxNode) -> list[Tensor]:
    x = node.tensor(0)
    count = len(node.integers("axes", ())) if "axes" in node.attributes else node.constant(1).size
    rank = len(x.shape) + count
    axes = node.axes(1, rank) or ()
    if len(axes) != count or rank > 8:
        raise UnsupportedOp(f"{count} new axes, {len(axes)} of them different", _DAMAGED)
    left = iter(x.shape)
    return [node.reshape(x, (1 if i in axes else next(left) for i in range(rank)))]


ONNX = {
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Identity": _identity,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
