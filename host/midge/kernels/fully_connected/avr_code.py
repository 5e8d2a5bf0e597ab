"""FULLY_CONNECTED int8 of one row for AVR with its weights as code: zeros cost nothing, ones no multiplication
(midge.kernels.byte_code). The input is read where it is."""

from __future__ import annotations

from functools import lru_cache

from midge.kernels.byte_blocks import NEEDS
from midge.kernels.byte_code import ByteCode, byte_code
from midge.kernels.variant import Binding, Layer, Variant
from midge.kernels.weights_as_code import Matrix, is_worth, matrix_of

# A weight takes as many cycles at least, where it is not one.
_LEAST_CYCLES = 6
# Where fewer weights are zero the code takes six times their bytes and is hardly quicker: too dear for a small flash.
_LEAST_ZEROS = 0.25


def fits(layer: Layer) -> bool:
    """int8 with constant weights, one row, quicker than the quickest kernel for any weights."""
    matrix = matrix_of(layer)
    if matrix is None:
        return False
    units, width = matrix.shape
    # What avr_row takes, about.
    dense = (9 * width + 60) * units + 6 * width + 150
    if matrix.nonzeros > (1 - _LEAST_ZEROS) * units * width or _LEAST_CYCLES * matrix.nonzeros // 2 > dense:
        return False
    made = _made(matrix)
    return made is not None and is_worth(made.cycles, made.bytes, dense, units * width)


def bind(layer: Layer) -> Binding:
    """The steps, what sums start with, and how they become outputs."""
    matrix, made = matrix_of(layer), _of(layer)
    assert matrix is not None
    units, width = matrix.shape
    params: dict[str, object] = {
        "groups": made.groups,
        "less": [[-start >> 8 * b & 255 for b in range(3)] for start in made.starts],
        "scalings": made.scalings,
        "steps": made.steps.pairs if made.steps else (),
        "channels": [
            {"begin": start, "weights": [int(w) for w in row]}
            for start, row in zip(made.starts, matrix.rows, strict=True)
        ],
    }
    return Binding({**params, "units": units, "width": width})


def code_bytes(layer: Layer) -> int:
    """What the steps take."""
    return _of(layer).bytes


def cycles(layer: Layer) -> int:
    """What it takes where no activation is zero, about."""
    return _of(layer).cycles


def _of(layer: Layer) -> ByteCode:
    matrix = matrix_of(layer)
    made = _made(matrix) if matrix is not None else None
    assert made is not None, "the layer does not fit"
    return made


@lru_cache(maxsize=32)
def _made(matrix: Matrix) -> ByteCode | None:
    return byte_code(matrix)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, code_bytes=code_bytes, cycles=cycles)
