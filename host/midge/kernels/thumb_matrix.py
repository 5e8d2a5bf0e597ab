"""Matrices as code for Armv6-M, whatever operator they belong to: whether that pays, and what a template reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from midge.kernels.pixel_pairs import Scaling, scaling_of
from midge.kernels.thumb_code import ThumbCode, thumb_code
from midge.kernels.variant import Binding, Constant
from midge.kernels.weights_as_code import Matrix, is_worth, terms

NEEDS = frozenset({"armv6m"})
# Activations are loaded by words.
_WORD = 4

# Around the code of a pixel.
_LOOP_BYTES = 32


@dataclass(frozen=True, eq=False)
class _Made:
    scaling: Scaling
    code: ThumbCode


def pays(matrix: Matrix | None, dense_cycles: int, dense_bytes: int) -> bool:
    """Whether code is better than a dense kernel that takes so many cycles for a row, and bytes."""
    # Two cycles a weight are the least.
    if matrix is None or 2 * matrix.nonzeros > dense_cycles or (matrix.pixels > 1 and matrix.shape[1] % _WORD):
        return False
    made = _made(matrix)
    return made is not None and is_worth(made.code.cycles, made.code.bytes, dense_cycles, dense_bytes)


def bound(matrix: Matrix | None) -> Binding:
    """The steps, and for each output its bias and what scales its sums."""
    assert matrix is not None
    made, (units, width) = _of(matrix), matrix.shape
    params = {**made.scaling.params, "groups": made.code.groups, "terms": terms(matrix.rows)}
    constants = (Constant("scales", "int32_t", made.scaling.words.reshape(-1)),)
    return Binding({**params, "units": units, "width": width, "pixels": matrix.pixels}, constants)


def matrix_bytes(matrix: Matrix | None) -> int:
    """Bytes of the steps."""
    assert matrix is not None
    return _of(matrix).code.bytes + (_LOOP_BYTES if matrix.pixels > 1 else 0)


def matrix_cycles(matrix: Matrix | None) -> int:
    """Cycles on a Cortex-M0+, within a few of a hundred."""
    assert matrix is not None
    return _of(matrix).code.cycles * matrix.pixels


def _of(matrix: Matrix | None) -> _Made:
    made = _made(matrix) if matrix is not None else None
    assert made is not None, "the layer does not fit"
    return made


@lru_cache(maxsize=32)
def _made(matrix: Matrix) -> _Made | None:
    scaled = scaling_of(matrix.rows, matrix.bias, matrix.zero_point, matrix.requantization)
    return _Made(scaled, thumb_code(matrix.rows, scaled.is_signed)) if scaled.split >= 0 else None
