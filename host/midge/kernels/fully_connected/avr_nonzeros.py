"""FULLY_CONNECTED int8 of one row for AVR: a list of the weights that are not zero, two bytes each, streamed from
program memory. The input is read where it is. Code for a weight would take six times its bytes.

For each channel the stream has where its sum starts (three bytes), how far the list's first position is from the last
one of the list before (two), how many turns of the loop there are, the list (midge.kernels.nonzeros), and where
channels differ what scales their sums (midge.kernels.byte_products).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.byte_blocks import NEEDS, code_bytes, constant_registers
from midge.kernels.byte_products import ByteProducts, byte_products, in_bytes
from midge.kernels.byte_scaling import scaling
from midge.kernels.byte_sums import common_products, sum_ends
from midge.kernels.nonzeros import nonzero_pairs, pair_bytes
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.kernels.weights_as_code import Matrix, matrix_of

SUM_BYTES = 3
_TURN = 2
_MOST_TURNS = 255
# Cycles of a turn, of a channel, and of all.
_TURN_CYCLES, _CHANNEL_CYCLES, _WHOLE_CYCLES = 35, 72, 60
# r2 and on, short of what the loop needs.
_CONSTANT_REGISTERS = 14


@dataclass(frozen=True, eq=False)
class _Made:
    params: dict[str, object]
    stream: Array
    turns: int


def fits(layer: Layer) -> bool:
    """int8 with constant weights, one row, the list smaller than all weights: then it is quicker than they are, too."""
    matrix = matrix_of(layer)
    if matrix is None or 2 * matrix.nonzeros >= matrix.rows.size:
        return False
    made = _made(matrix)
    return made is not None and made.stream.nbytes < matrix.rows.size


def bind(layer: Layer) -> Binding:
    """The stream, and how sums become outputs."""
    made = _of(layer)
    return Binding(made.params, (Constant("stream", "uint8_t", made.stream),))


def cycles(layer: Layer) -> int:
    """What it takes, about."""
    made, units = _of(layer), layer.inputs[1].shape[0]
    return _TURN_CYCLES * made.turns + _CHANNEL_CYCLES * units + _WHOLE_CYCLES


def _of(layer: Layer) -> _Made:
    matrix = matrix_of(layer)
    made = _made(matrix) if matrix is not None else None
    assert made is not None, "the layer does not fit"
    return made


@lru_cache(maxsize=32)
def _made(matrix: Matrix) -> _Made | None:
    rows, r = matrix.rows, matrix.requantization
    begin, least, most = sum_ends(rows, matrix.bias, matrix.zero_point)
    found = common_products(r, least, most) if len(r.multipliers) == 1 else byte_products(r, least, most)
    lists = [nonzero_pairs(row, _TURN) for row in rows]
    if found is None or max(map(len, lists)) > _TURN * _MOST_TURNS or not _fits(found, least, most):
        return None
    is_common = len(found.lasts) < len(rows) or len(rows) == 1
    registers = None if is_common else constant_registers(found, 1, _CONSTANT_REGISTERS)
    if registers is None and not is_common:
        return None
    parts, at = [], 0
    for channel, (pairs, start) in enumerate(zip(lists, in_bytes(begin - found.starts, SUM_BYTES), strict=True)):
        first = pairs[0][0] - at
        at += first + sum(distance for distance, _ in pairs[1:])
        moved = ((0, pairs[0][1]), *pairs[1:])
        parts += [
            start,
            in_bytes(np.array([first]), 2)[0],
            np.array([len(pairs) // _TURN], np.uint8),
            pair_bytes(moved),
        ]
        parts += [] if is_common else [found.records[channel]]
    units, width = rows.shape
    scaled = scaling(found, least, most, SUM_BYTES, registers)
    params = {"scaling": scaled, "units": units, "width": width}
    return _Made(params, np.concatenate(parts), sum(map(len, lists)) // _TURN)


def _fits(found: ByteProducts, least: Array, most: Array) -> bool:
    """Whether three bytes hold the sums."""
    return max(int((most - found.starts).max()), int((found.starts - least).max())) < 1 << 23


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, code_bytes=code_bytes, cycles=cycles)
