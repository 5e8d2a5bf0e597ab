"""LOOKUP: any function of one int8 value, as a table. No file has it; passes make it from unary operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from midge.ir.channels import Ties
from midge.ir.graph import Op, Permutation, tie_elementwise
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.numerics.tables import look_up
from midge.ops.families.elementwise import Elementwise


@dataclass(frozen=True, kw_only=True)
class Lookup(Elementwise):
    """inputs: x (int8), table (int8, 256 constants): the output is table[x + 128]."""

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape."""
        if inputs[1].shape != (256,):
            raise ValueError(f"a table of shape {inputs[1].shape}, not (256,)")
        return super().infer(inputs)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Int8 throughout, the table constant."""
        if any(t.dtype is not DType.S8 for t in (*inputs, *outputs)):
            return "a table of other than int8"
        return "" if inputs[1].is_constant else "a table that is not constant"

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """One look-up per value."""
        x, table = values
        return [look_up(table, x)]

    def permuted(self, permutation: Permutation) -> tuple[Op, Permutation] | None:
        """Never: the table is no tensor with axes."""
        return None

    def ties(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Ties:
        """Channel by channel; the table stays whole."""
        x, _, y = tie_elementwise(inputs, outputs)
        return x, {}, y
