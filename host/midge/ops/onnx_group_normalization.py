"""ONNX's InstanceNormalization and GroupNormalization: channels, or groups of them, by their own mean and variance."""

from __future__ import annotations

from math import prod

import numpy as np

from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import Tensor
from midge.ops.add import Add
from midge.ops.formats import UnsupportedOp
from midge.ops.layer_normalization import LayerNormalization
from midge.ops.mul import Mul
from midge.ops.onnx_nodes import OnnxNode

_DAMAGED = "the file is damaged: export it again"


def _normalized(node: OnnxNode, groups: int) -> list[Tensor]:
    """x (N, C, ...) as rows of one group each, normalized; then each channel's scale and offset."""
    x, channels = node.tensor(0), node.tensor(0).shape[1]
    scale, offset = (node.constant(i).reshape(-1) for i in (1, 2))
    if not groups or channels % groups or len(scale) != len(offset) or len(scale) not in (groups, channels):
        raise UnsupportedOp(f"{len(scale)} scales for {channels} channels in {groups} groups", _DAMAGED)
    depth = prod(x.shape[1:]) // groups
    rows = node.reshape(x, (x.shape[0], groups, depth), "rows")
    plain = [node.new_constant(role, np.full(1, value)) for role, value in (("one", 1.0), ("zero", 0.0))]
    epsilon = float(node.attributes.get("epsilon", 1e-5))
    normal = node.add(LayerNormalization, [rows, *plain], "normal", epsilon=epsilon)
    shape = (channels, *(1 for _ in x.shape[2:]))
    factors = [np.repeat(values, channels // len(values)).reshape(shape) for values in (scale, offset)]
    back = node.reshape(normal, x.shape, "shape")
    scaled = node.add(Mul, [back, node.new_constant("scale", factors[0])], "scaled", clamp=NO_CLAMP)
    return [node.add(Add, [scaled, node.new_constant("offset", factors[1])], "", clamp=NO_CLAMP)]


def from_instances(node: OnnxNode) -> list[Tensor]:
    """Reads an InstanceNormalization: each channel is a group."""
    return _normalized(node, node.tensor(0).shape[1])


def from_groups(node: OnnxNode) -> list[Tensor]:
    """Reads a GroupNormalization; its scales are those of groups before opset 21, of channels from then on."""
    return _normalized(node, int(node.attribute("num_groups")))


ONNX = {"GroupNormalization": from_groups, "InstanceNormalization": from_instances}
