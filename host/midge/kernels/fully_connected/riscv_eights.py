"""FULLY_CONNECTED int8 of one row for RV32IM: eight outputs at a time, two to a multiplication
(firmware/nn/midge_riscv.h). Weights take two bytes in flash, twice of what they need."""

from __future__ import annotations

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.literals import (
    bias_values,
    has_constant_weights,
    int32_words,
    is_int8,
    requantization_of,
    weight_rows,
)
from midge.kernels.position_quads import (
    MOST_TOGETHER,
    NEEDS,
    QUAD,
    Scaling,
    can_add,
    row_instructions,
    scaling_of,
)
from midge.kernels.variant import Binding, Constant, Layer, Variant

_GROUP = 8
# Positions per turn of the inner loop, and those that share a word of flags.
_TURN, _SPAN = 8, 64
# What the assembly adds to sums of products so that their upper halves are exact.
_AHEAD = 32768


def fits(layer: Layer) -> bool:
    """int8 with constant weights, one row, a group of outputs or more, sums that one product scales."""
    if not (is_int8(layer) and has_constant_weights(layer)):
        return False
    rows = weight_rows(layer)
    if layer.inputs[0].elements != rows.shape[1] or len(rows) < _GROUP or not can_add(rows):
        return False
    return _scaling(layer) is not None


def bind(layer: Layer) -> Binding:
    """Weights by groups of eight outputs; for each output what scales its sums."""
    rows, scaled = weight_rows(layer), _scaling(layer)
    assert scaled is not None, "no rule is exact"
    depth = _depth(rows)
    padded = np.pad(np.where(scaled.constant[:, None], 0, rows), ((0, 0), (0, depth - rows.shape[1])))
    order = _order(len(rows))
    groups = padded[order].reshape(-1, _GROUP, depth)
    drains = np.stack([_drains(group) for group in groups])
    scales = scaled.words[order].astype(np.int64).reshape(len(groups), _GROUP, -1)
    scales[:, 0::2, 0] -= drains.sum(axis=1)[:, None] * (_AHEAD << scaled.fraction)
    params = {**scaled.params, "quads": depth // QUAD, "width": rows.shape[1], "units": len(rows)}
    constants = (
        Constant("weights", "uint32_t", _stream(groups, drains).view(np.uint32)),
        Constant("scales", "int32_t", int32_words(scales).reshape(-1)),
    )
    return Binding(params, constants)


def scratch_bytes(layer: Layer) -> int:
    """The row, where it must be filled up to whole turns."""
    rows = weight_rows(layer)
    return _depth(rows) if _depth(rows) > rows.shape[1] else 0


def _order(units: int) -> Array:
    """The outputs by groups; the last group of a number that is no multiple begins earlier."""
    whole = units - units % _GROUP
    return np.concatenate([np.arange(whole), np.arange(units - _GROUP, units)[: _GROUP * (units > whole)]])


def _drains(group: Array) -> Array:
    """For each two positions whether sums of products must be taken apart behind them: before they could leave 16 bits
    for any output of the group, and at the end."""
    twos = np.abs(group).reshape(_GROUP, -1, 2).sum(axis=2)
    result = np.zeros(twos.shape[1], np.int64)
    reach = np.zeros(_GROUP, np.int64)
    for at in range(twos.shape[1]):
        if (reach + twos[:, at]).max() > MOST_TOGETHER:
            result[at - 1] = 1
            reach[:] = 0
        reach += twos[:, at]
    result[-1] = 1
    return result


def _stream(groups: Array, drains: Array) -> Array:
    """By groups: for up to 64 positions a word of flags, the first two positions' highest, then the positions' words:
    four pairs of outputs, 65536 * b + a."""
    words = int32_words((groups[:, 0::2] + (groups[:, 1::2] << 16)).transpose(0, 2, 1))
    parts = []
    for at in range(0, words.shape[1], _SPAN):
        span = drains[:, at // 2 : (at + _SPAN) // 2]
        flags = (span << (31 - np.arange(span.shape[1]))).sum(axis=1)
        parts += [int32_words(flags)[:, None], words[:, at : at + _SPAN].reshape(len(words), -1)]
    stream: Array = np.concatenate(parts, axis=1).reshape(-1)
    return stream


def cycles(layer: Layer) -> int:
    """What it takes, in instructions, about."""
    return row_instructions(*layer.inputs[1].shape)


def _depth(rows: Array) -> int:
    return -(-rows.shape[1] // _TURN) * _TURN


def _scaling(layer: Layer) -> Scaling | None:
    rows = weight_rows(layer)
    r = requantization_of(layer)
    return scaling_of(rows, bias_values(layer, len(rows)), layer.inputs[0].q.zero_point, r)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, cycles=cycles)
