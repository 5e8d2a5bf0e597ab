"""Cycle models, one module per core, found by the name in the core's file.

Each has `block_costs(code, address)`, and `UNALIGNED`: what loads cost more that are not aligned.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from midge.errors import BoardError


@dataclass(frozen=True)
class BlockCost:
    """What one pass through a straight run of instructions costs.

    `next_cycles`: when execution goes on behind it; `taken_cycles`: when its last instruction branches away.
    `ends_in_it`: the run ends inside an IT block, so the next one starts with conditional instructions.
    """

    instructions: int
    next_cycles: int
    taken_cycles: int
    ends_in_it: bool = False


@dataclass(frozen=True)
class Unaligned:
    """Cycles that a load takes more: a halfword at an odd address, a word at twice an odd one, a word at an odd one."""

    halfword: int
    word_at_halfword: int
    word_at_byte: int


BlockCosts = Callable[[bytes, int], BlockCost]


def load_model(name: str) -> BlockCosts:
    """The cost function of the model of that name: (code, address) -> BlockCost.

    Raises:
        BoardError: there is no such model.
        MissingExtraError: it needs a package that is not installed.
    """
    costs: BlockCosts = _module(name).block_costs
    return costs


def load_unaligned(name: str) -> Unaligned:
    """What unaligned loads cost in the model of that name. Raises BoardError as `load_model`."""
    penalties: Unaligned = _module(name).UNALIGNED
    return penalties


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        raise BoardError(f"there is no cycle model {name!r}", hint="see midge/measure/timing") from error
