"""Variants that have a matrix as code, on cores whose sums are registers: whether that pays, and what a template reads.

A core's own module says which steps there are and how sums are scaled (midge.kernels.thumb_code, riscv_code).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from midge.ir.tensor import Array
from midge.kernels.variant import Binding, Constant, Layer
from midge.kernels.weights_as_code import Matrix, is_power, is_worth, terms

# Around the code of a pixel.
_LOOP_BYTES = 32

Step = tuple[str | int, ...]


@dataclass(frozen=True, eq=False)
class MatrixCode:
    """The steps of a row by group, and what they take with all around them: `cycles` (instructions, where the core's
    estimates count these) and `bytes`. `rows` are the weights, zeros where the output never changes; `words` (channels,
    n) and `params` are how sums become outputs."""

    groups: tuple[tuple[Step, ...], ...]
    cycles: int
    bytes: int
    rows: Array
    words: Array
    params: Mapping[str, object]


@dataclass(frozen=True)
class AsCode:
    """Layers as code. `matrix_of` finds a layer's matrix, `code_of` is the core's (None for one that it cannot do);
    `dense` is what the quickest kernel for any weights takes for a row, in cycles and bytes, by (units, width)."""

    matrix_of: Callable[[Layer], Matrix | None]
    code_of: Callable[[Matrix], MatrixCode | None]
    dense: Callable[[int, int], tuple[int, int]]

    def fits(self, layer: Layer) -> bool:
        """Whether there is a matrix whose code is better than the dense kernel."""
        matrix = self.matrix_of(layer)
        if matrix is None:
            return False
        dense_cycles, dense_bytes = self.dense(*matrix.shape)
        # Two cycles a weight are the least.
        code = self.code_of(matrix) if 2 * matrix.nonzeros <= dense_cycles else None
        return code is not None and is_worth(code.cycles, code.bytes, dense_cycles, dense_bytes)

    def bind(self, layer: Layer) -> Binding:
        """The steps, and for each output what scales its sums."""
        matrix, code = self._made(layer)
        units, width = matrix.shape
        params = {"groups": code.groups, "terms": terms(code.rows), "words": code.words.shape[1], **code.params}
        sizes = {"units": units, "width": width, "pixels": matrix.pixels}
        return Binding({**params, **sizes}, (Constant("scales", "int32_t", code.words.reshape(-1)),))

    def code_bytes(self, layer: Layer) -> int:
        """Bytes of the steps."""
        matrix, code = self._made(layer)
        return code.bytes + (_LOOP_BYTES if matrix.pixels > 1 else 0)

    def cycles(self, layer: Layer) -> int:
        """Cycles, within a few of a hundred, or instructions of all rows."""
        matrix, code = self._made(layer)
        return code.cycles * matrix.pixels

    def _made(self, layer: Layer) -> tuple[Matrix, MatrixCode]:
        matrix = self.matrix_of(layer)
        assert matrix is not None, "the layer does not fit"
        code = self.code_of(matrix)
        assert code is not None, "the layer does not fit"
        return matrix, code


def multiplied(to: str, source: str, factor: int) -> Step:
    """A product with a factor above zero."""
    if is_power(factor):
        return "shift", to, source, factor.bit_length() - 1
    return "product", to, source, factor
