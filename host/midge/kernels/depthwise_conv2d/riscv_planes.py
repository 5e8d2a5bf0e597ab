"""DEPTHWISE_CONV_2D int8 for RV32IM: each multiplication serves two pixels (firmware/nn/midge_riscv.h), which lie in
planes, see midge.kernels.planes.

To take two pixels' sums apart costs more than to multiply. So products go together by threes where a channel's weights
allow it: those of a row of the window or, for 3x3, else those of a column; and by twos where they do not.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from midge.ir.graph import Array
from midge.kernels.literals import bias_values
from midge.kernels.planes import band_overlap, fits_planes, plane_bytes, planes_of, taps_by_channel
from midge.kernels.position_quads import MOST_TOGETHER, NEEDS, Scaling, scaling_of
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.numerics.requantize import requantization
from midge.ops.depthwise_conv2d import DepthwiseConv2D

Groups = tuple[tuple[int, ...], ...]


def fits(layer: Layer) -> bool:
    """What planes can do, with sums that one product scales."""
    return fits_planes(layer) and _scaling(layer) is not None


def bind(layer: Layer) -> Binding:
    """Weights by channel; for each channel how its products go together, and what scales its sums."""
    rows, scaled = taps_by_channel(layer), _scaling(layer)
    assert scaled is not None, "no rule is exact"
    rows = np.where(scaled.constant[:, None], 0, rows)
    weights = layer.inputs[1].shape
    ways = ways_to_group(weights[1], weights[2])
    words = np.concatenate([_ways(rows, ways)[:, None], scaled.words], axis=1)
    params = {
        **planes_of(layer).params,
        **scaled.params,
        "ways": ways,
        "words": words.shape[1],
        "in_zero": layer.inputs[0].q.zero_point,
    }
    constants = (
        Constant("weights", "int8_t", rows.astype(np.int8)),
        Constant("scales", "int32_t", words.astype(np.int32)),
    )
    return Binding(params, constants)


def ways_to_group(height: int, width: int) -> tuple[Groups, ...]:
    """How taps go together, the best way first; the last is by twos."""
    taps = range(height * width)
    threes = _runs(taps, 3)
    columns = tuple(tuple(row * 3 + column for row in range(3)) for column in range(3))
    return (threes, *((columns,) if (height, width) == (3, 3) else ()), _runs(taps, 2))


def _runs(taps: range, most: int) -> Groups:
    return tuple(tuple(taps[at : at + most]) for at in range(0, len(taps), most))


def _ways(rows: Array, ways: tuple[Groups, ...]) -> Array:
    """For each channel the first way that its weights allow."""
    sizes = np.abs(rows)
    can = [np.all([sizes[:, group].sum(axis=1) <= MOST_TOGETHER for group in way], axis=0) for way in ways]
    first: Array = np.argmax(np.stack(can), axis=0)
    return first


def _scaling(layer: Layer) -> Scaling | None:
    op, (x, weights), y = cast(DepthwiseConv2D, layer.op), layer.inputs[:2], layer.outputs[0]
    rows = taps_by_channel(layer)
    return scaling_of(rows, bias_values(layer, len(rows)), x.q.zero_point, requantization(x, weights, y, op.clamp))


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=plane_bytes, overlap=band_overlap)
