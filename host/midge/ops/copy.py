"""COPY: the input as it is. No file has it; it moves a value into the memory of a state, or out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from midge.ir.tensor import Array
from midge.ops.families.move import Move


@dataclass(frozen=True, kw_only=True)
class Copy(Move):
    """inputs: x. The output is x, in memory of its own."""

    def moved(self, x: Array, fill: int) -> Sequence[Array]:
        """x."""
        return [x]
