"""ONNX's ConvTranspose over one, two or three dimensions, one group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import Tensor
from midge.ops.add import Add
from midge.ops.formats import UnsupportedOp
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.onnx_windows import channels_first, channels_last
from midge.ops.transpose_conv import TransposeConv


def from_onnx(node: OnnxNode) -> list[Tensor]:
    """Reads a ConvTranspose; dilated weights are spread with zeros."""
    x, weights = node.tensor(0), node.weights(1)
    spatial = len(x.shape) - 2
    if spatial not in (1, 2, 3) or node.attributes.get("group", 1) != 1:
        raise UnsupportedOp(f"{spatial} dimensions or groups", "midge has one to three dimensions, and one group")
    dilation = node.integers("dilations", [1] * spatial)
    weights = _spread(weights, dilation)
    stride = node.integers("strides", [1] * spatial)
    extra = node.integers("output_padding", [0] * spatial)
    kernel = weights.shape[2:]
    full = [s * (n - 1) + e + k for s, n, e, k in zip(stride, x.shape[2:], extra, kernel, strict=True)]
    pads, size = _pads(node, full, stride, x.shape[2:])
    if min(size) < 1 or any(min(pair) < 0 for pair in pads):
        raise UnsupportedOp(f"pads {pads} of {full}", "export with pads that are not negative")
    bias = node.optional(2)
    if spatial == 3:
        return [_of_volumes(node, x, weights, bias, stride, pads, size)]
    if spatial == 1:
        weights = node.reshape(weights, (*weights.shape[:2], 1, weights.shape[2]), "iohw")
        stride, pads, size = (1, *stride), [(0, 0), *pads], [1, *size]
    inputs = [channels_last(node, x), node.transpose(weights, (1, 2, 3, 0), "weights")]
    y = node.add(
        TransposeConv,
        inputs if bias is None else [*inputs, bias],
        "",
        stride=(stride[0], stride[1]),
        padding=(pads[0], pads[1]),
        size=(size[0], size[1]),
        clamp=NO_CLAMP,
    )
    return [channels_first(node, y, len(x.shape))]


def _of_volumes(
    node: OnnxNode,
    x: Tensor,
    weights: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    pads: Sequence[tuple[int, int]],
    size: Sequence[int],
) -> Tensor:
    """x (N, C, D, H, W) spread by `weights` (C, O, KD, KH, KW) to `size`, `pads` cut off.

    Each slice is spread to KD slices for each output channel; those are then added up where they overlap in depth.
    """
    n, _, depth, height, width = x.shape
    channels, out, kd, kh, kw = weights.shape
    if weights.data is None or weights.quant is not None:
        raise UnsupportedOp("weights that are no plain floats", "export the model as float32")
    # (O and KD, KH, KW, C): the slices of an output channel lie beside each other.
    spread = np.transpose(weights.data, (1, 2, 3, 4, 0)).reshape(out * kd, kh, kw, channels)
    slices = node.reshape(node.transpose(x, (0, 2, 3, 4, 1), "ndhwc"), (n * depth, height, width, channels), "slices")
    flat = node.add(
        TransposeConv,
        [slices, node.new_constant("weights", spread)],
        "",
        stride=(stride[1], stride[2]),
        padding=(pads[1], pads[2]),
        size=(size[1], size[2]),
        clamp=NO_CLAMP,
    )
    one_by_one = np.eye(kd, dtype=np.float32).reshape(1, kd, 1, kd)
    columns = node.reshape(flat, (n, depth, prod(size[1:]) * out, kd), "columns")
    y = node.add(
        TransposeConv,
        [columns, node.new_constant("overlap", one_by_one)],
        "depth",
        stride=(stride[0], 1),
        padding=(pads[0], (0, 0)),
        size=(size[0], columns.shape[2]),
        clamp=NO_CLAMP,
    )
    volume = node.reshape(y, (n, *size, out), "volume")
    if bias is not None:
        volume = node.add(Add, [volume, bias], "bias", clamp=NO_CLAMP)
    return node.transpose(volume, (0, 4, 1, 2, 3), "ncdhw")


def _spread(weights: Tensor, dilation: tuple[int, ...]) -> Tensor:
    """(I, O, spatial...) with dilation - 1 zeros between taps."""
    if all(d == 1 for d in dilation):
        return weights
    data = np.asarray(weights.data)
    sizes = [(k - 1) * d + 1 for k, d in zip(data.shape[2:], dilation, strict=True)]
    spread = np.zeros((*data.shape[:2], *sizes), data.dtype)
    spread[(slice(None), slice(None), *(slice(None, None, d) for d in dilation))] = data
    return replace(weights, name=f"{weights.name}/spread", shape=spread.shape, data=spread)


def _pads(
    node: OnnxNode, full: list[int], stride: tuple[int, ...], sizes: tuple[int, ...]
) -> tuple[list[tuple[int, int]], list[int]]:
    """What is cut off before and after, and the output's size."""
    mode = node.attributes.get("auto_pad", "NOTSET") or "NOTSET"
    shape = node.integers("output_shape", [])[-len(full) :]
    if not shape and mode in ("SAME_UPPER", "SAME_LOWER"):
        shape = tuple(s * n for s, n in zip(stride, sizes, strict=True))
    if not shape:
        flat = [0] * (2 * len(full)) if mode == "VALID" else node.integers("pads", [0] * (2 * len(full)))
        pads = list(zip(flat[: len(full)], flat[len(full) :], strict=True))
        return pads, [n - before - after for n, (before, after) in zip(full, pads, strict=True)]
    totals = [max(n - out, 0) for n, out in zip(full, shape, strict=True)]
    first = [t // 2 if mode == "SAME_UPPER" else t - t // 2 for t in totals]
    return [(f, t - f) for f, t in zip(first, totals, strict=True)], list(shape)


ONNX = {"ConvTranspose": from_onnx}
