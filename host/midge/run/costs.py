"""What code has cost: instructions and cycles, in total and by function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midge.build.image import Image


@dataclass(frozen=True)
class Cost:
    """Instructions (exact) and cycles (of the core's model)."""

    instructions: int
    cycles: int

    def __sub__(self, before: Cost) -> Cost:
        return Cost(self.instructions - before.instructions, self.cycles - before.cycles)


@dataclass(frozen=True)
class Call:
    """One call of a watched function, from its first instruction to its return: the total, and each function's own
    share (without what it calls)."""

    cost: Cost
    functions: Mapping[str, Cost]


@dataclass(frozen=True)
class Totals:
    """Per address, what the blocks that begin there have cost since reset."""

    instructions: NDArray[np.uint64]
    cycles: NDArray[np.uint64]

    @staticmethod
    def of(blocks: NDArray[Any]) -> Totals:
        """A copy of the hook's table as it stands (`midge.run.emulator_hook.BLOCK`)."""
        return Totals(blocks["total_instructions"].copy(), blocks["total_cycles"].copy())

    def __sub__(self, before: Totals) -> Totals:
        return Totals(self.instructions - before.instructions, self.cycles - before.cycles)

    def by_function(self, image: Image, code_start: int) -> Mapping[str, Cost]:
        """The sums over each function that has run; row 0 stands for `code_start`, and rows are 2 bytes apart."""
        functions = image.functions
        starts = [(function.address - code_start) // 2 for function in functions]
        instructions, cycles = (np.add.reduceat(column, starts) for column in (self.instructions, self.cycles))
        shares: dict[str, Cost] = {}
        for i in np.flatnonzero(instructions):
            before = shares.get(functions[i].name, Cost(0, 0))
            own = Cost(before.instructions + int(instructions[i]), before.cycles + int(cycles[i]))
            shares[functions[i].name] = own
        return shares
