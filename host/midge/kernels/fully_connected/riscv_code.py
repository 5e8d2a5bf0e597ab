"""FULLY_CONNECTED int8 of one row for RV32IM with its weights as code: zeros cost nothing, powers of two no
multiplication, weights that a channel has often one (midge.kernels.riscv_code)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.position_quads import NEEDS, Scaling, row_instructions, scaling_of
from midge.kernels.riscv_code import RiscvCode, riscv_code
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.kernels.weights_as_code import Matrix, is_worth, matrix_of, terms


@dataclass(frozen=True, eq=False)
class _Made:
    """`rows` are the weights, zeros where the output never changes."""

    scaling: Scaling
    code: RiscvCode
    rows: Array


def fits(layer: Layer) -> bool:
    """int8 with constant weights, one row, quicker than the quickest kernel for any weights."""
    matrix = matrix_of(layer)
    if matrix is None:
        return False
    units, width = matrix.shape
    dense = row_instructions(units, width)
    if 2 * matrix.nonzeros > dense:
        return False
    made = _made(matrix)
    return made is not None and is_worth(made.code.instructions, made.code.bytes, dense, 2 * units * width)


def bind(layer: Layer) -> Binding:
    """The steps, and for each output what scales its sums."""
    made = _of(layer)
    units, width = made.rows.shape
    words = made.scaling.words
    params = {**made.scaling.params, "groups": made.code.groups, "terms": terms(made.rows), "units": units}
    constants = (Constant("scales", "int32_t", words.reshape(-1)),)
    return Binding({**params, "width": width, "words": words.shape[1]}, constants)


def code_bytes(layer: Layer) -> int:
    """What the steps take."""
    return _of(layer).code.bytes


def cycles(layer: Layer) -> int:
    """What it takes, in instructions."""
    return _of(layer).code.instructions


def _of(layer: Layer) -> _Made:
    matrix = matrix_of(layer)
    made = _made(matrix) if matrix is not None else None
    assert made is not None, "the layer does not fit"
    return made


@lru_cache(maxsize=32)
def _made(matrix: Matrix) -> _Made | None:
    scaled = scaling_of(matrix.rows, matrix.bias, matrix.zero_point, matrix.requantization)
    if scaled is None:
        return None
    rows = np.where(scaled.constant[:, None], 0, matrix.rows)
    return _Made(scaled, riscv_code(rows, scaled.words.shape[1]), rows)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, code_bytes=code_bytes, cycles=cycles)
