"""FULLY_CONNECTED int8 of one row for cores without SIMD: a list of the weights that are not zero, two bytes each
(firmware/nn/midge_scalar_nonzeros.h)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.nonzeros import nonzero_pairs, pair_bytes
from midge.kernels.pixel_pairs import NEEDS, Scaling, scaling_of
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.kernels.weights_as_code import Matrix, matrix_of

# So many at a time: two words of the list.
_TURN = 4
# Cycles of a weight, of a channel, and of all.
_WEIGHT_CYCLES, _CHANNEL_CYCLES, _WHOLE_CYCLES = 11, 60, 60


@dataclass(frozen=True, eq=False)
class _Made:
    scaling: Scaling
    stream: Array


def fits(layer: Layer) -> bool:
    """int8 with constant weights, one row, the list smaller than all weights: then it is quicker than they are, too."""
    matrix = matrix_of(layer)
    if matrix is None or 2 * matrix.nonzeros >= matrix.rows.size:
        return False
    made = _made(matrix)
    return made.scaling.split >= 0 and made.stream.nbytes < matrix.rows.size


def bind(layer: Layer) -> Binding:
    """For each channel how many words its list has, then the list; its bias and what scales its sums."""
    made = _of(layer)
    units, width = layer.inputs[1].shape
    constants = (
        Constant("weights", "uint32_t", made.stream),
        Constant("scales", "int32_t", made.scaling.words.reshape(-1)),
    )
    return Binding({**made.scaling.params, "units": units, "width": width}, constants)


def cycles(layer: Layer) -> int:
    """What it takes on a Cortex-M0+, about."""
    words, units = len(_of(layer).stream), layer.inputs[1].shape[0]
    return 2 * (words - units) * _WEIGHT_CYCLES + _CHANNEL_CYCLES * units + _WHOLE_CYCLES


def _of(layer: Layer) -> _Made:
    matrix = matrix_of(layer)
    assert matrix is not None, "the layer does not fit"
    return _made(matrix)


@lru_cache(maxsize=32)
def _made(matrix: Matrix) -> _Made:
    rows = matrix.rows
    lists = [pair_bytes(nonzero_pairs(row, _TURN)).view("<u4").astype(np.uint32) for row in rows]
    stream = np.concatenate([part for words in lists for part in (np.array([len(words)], np.uint32), words)])
    return _Made(scaling_of(rows, matrix.bias, matrix.zero_point, matrix.requantization), stream)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, cycles=cycles)
