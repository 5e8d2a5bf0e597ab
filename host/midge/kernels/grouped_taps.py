"""Weights for the kernels of RV32IM that walk over planes (midge.kernels.planes): how a window's products go together.

To take two pixels' sums apart costs more than to multiply. So products go together by threes where a channel's weights
allow it: those of a row of the window or, for 3x3, else those of a column; and by twos where they do not.
"""

from __future__ import annotations

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.planes import planes_of
from midge.kernels.position_quads import MOST_TOGETHER, Scaling
from midge.kernels.variant import Binding, Constant, Layer

Groups = tuple[tuple[int, ...], ...]


def bind_planes(layer: Layer, rows: Array, scaled: Scaling) -> Binding:
    """Weights (channels, taps) by channel; for each channel how its products go together, and what scales its sums."""
    rows = np.where(scaled.constant[:, None], 0, rows)
    window = planes_of(layer).window
    ways = ways_to_group(window.k_h, window.k_w)
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
