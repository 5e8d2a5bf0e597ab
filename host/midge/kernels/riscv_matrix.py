"""Matrices as code for RV32IM, whatever operator they belong to: whether that pays, and what a template reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.position_quads import Scaling, scaling_of
from midge.kernels.riscv_code import RiscvCode, riscv_code
from midge.kernels.variant import Binding, Constant
from midge.kernels.weights_as_code import Matrix, is_worth, terms

# Around the code of a pixel.
_LOOP_BYTES = 32


@dataclass(frozen=True, eq=False)
class _Made:
    """`rows` are the weights, zeros where the output never changes."""

    scaling: Scaling
    code: RiscvCode
    rows: Array


def pays(matrix: Matrix | None, dense_instructions: int, dense_bytes: int) -> bool:
    """Whether code is better than a dense kernel that takes so many instructions for a row, and bytes."""
    # Two instructions a weight are the least.
    if matrix is None or 2 * matrix.nonzeros > dense_instructions:
        return False
    made = _made(matrix)
    return made is not None and is_worth(made.code.instructions, made.code.bytes, dense_instructions, dense_bytes)


def bound(matrix: Matrix | None) -> Binding:
    """The steps, and for each output what scales its sums."""
    assert matrix is not None
    made, (units, width) = _of(matrix), matrix.shape
    words = made.scaling.words
    params = {**made.scaling.params, "groups": made.code.groups, "terms": terms(made.rows), "units": units}
    constants = (Constant("scales", "int32_t", words.reshape(-1)),)
    return Binding({**params, "width": width, "words": words.shape[1], "pixels": matrix.pixels}, constants)


def matrix_bytes(matrix: Matrix | None) -> int:
    """Bytes of the steps."""
    assert matrix is not None
    return _of(matrix).code.bytes + (_LOOP_BYTES if matrix.pixels > 1 else 0)


def matrix_instructions(matrix: Matrix | None) -> int:
    """What it takes, in instructions."""
    assert matrix is not None
    return _of(matrix).code.instructions * matrix.pixels


def _of(matrix: Matrix | None) -> _Made:
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
