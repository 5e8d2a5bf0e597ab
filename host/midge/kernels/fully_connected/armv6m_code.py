"""FULLY_CONNECTED int8 of one row for Armv6-M with its weights as code: zeros cost nothing, powers of two no
multiplication, weights that a channel has often one (midge.kernels.thumb_code)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from midge.kernels.pixel_pairs import Scaling, row_cycles, scaling_of
from midge.kernels.thumb_code import ThumbCode, thumb_code
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.kernels.weights_as_code import Matrix, is_worth, matrix_of, terms


@dataclass(frozen=True, eq=False)
class _Made:
    scaling: Scaling
    code: ThumbCode


def fits(layer: Layer) -> bool:
    """int8 with constant weights, one row, quicker than the quickest kernel for any weights."""
    matrix = matrix_of(layer)
    if matrix is None:
        return False
    units, width = matrix.shape
    dense = row_cycles(units, width)
    if 2 * matrix.nonzeros > dense:
        return False
    made = _made(matrix)
    return made is not None and is_worth(made.code.cycles, made.code.bytes, dense, 2 * units * width)


def bind(layer: Layer) -> Binding:
    """The steps, and for each output its bias and what scales its sums."""
    matrix, made = matrix_of(layer), _of(layer)
    assert matrix is not None
    units, width = matrix.shape
    params = {**made.scaling.params, "groups": made.code.groups, "terms": terms(matrix.rows)}
    constants = (Constant("scales", "int32_t", made.scaling.words.reshape(-1)),)
    return Binding({**params, "units": units, "width": width}, constants)


def code_bytes(layer: Layer) -> int:
    """What the steps take."""
    return _of(layer).code.bytes


def cycles(layer: Layer) -> int:
    """What it takes on a Cortex-M0+, within a few of a hundred."""
    return _of(layer).code.cycles


def _of(layer: Layer) -> _Made:
    matrix = matrix_of(layer)
    made = _made(matrix) if matrix is not None else None
    assert made is not None, "the layer does not fit"
    return made


@lru_cache(maxsize=32)
def _made(matrix: Matrix) -> _Made | None:
    scaled = scaling_of(matrix.rows, matrix.bias, matrix.zero_point, matrix.requantization)
    return _Made(scaled, thumb_code(matrix.rows, scaled.is_signed)) if scaled.split >= 0 else None


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=frozenset({"armv6m"}), code_bytes=code_bytes, cycles=cycles)
