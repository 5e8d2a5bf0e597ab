"""The fastest plan that fits the board: each goal in turn, from the one asked for towards the smallest."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from midge.errors import DoesNotFitError
from midge.pipeline import Compiled, compile_graph
from midge.settings import Goal


def compile_to_fit(compiled: Compiled) -> tuple[Compiled, tuple[str, ...]]:
    """`compiled` when it fits its board, else the same model for the next smaller goal; and in words what was given up.

    Raises DoesNotFitError, with the bytes that lack, when even `size` is too large.
    """
    goals: tuple[Goal, ...] = get_args(Goal)
    given_up: list[str] = []
    candidate = compiled
    for goal in goals[goals.index(compiled.settings.optimize) :]:
        if goal != candidate.settings.optimize:
            settings = replace(compiled.settings, optimize=goal)
            candidate = compile_graph(
                compiled.imported, compiled.canonical, compiled.graph, settings, compiled.board, compiled.timings
            )
        lacking = _lacking(candidate)
        if not lacking:
            return candidate, tuple(given_up)
        given_up.append(f"--optimize {goal} does not fit {compiled.board.name}: {lacking}")
    raise DoesNotFitError(
        f"{compiled.graph.name} does not fit {compiled.board.name}: {lacking}",
        hint=f"midge fit MODEL --board {compiled.board.name} says what would make it fit",
    )


def _lacking(compiled: Compiled) -> str:
    """What the board has too little of, in words; "" when it has enough, as far as can be known before linking.

    Kernels of the largest models come to some 20 KB; the linker has the last word.
    """
    board, program = compiled.board, compiled.program
    flash = program.constant_bytes + board.core.harness.flash_bytes
    ram = program.arena_bytes + board.core.harness.ram_bytes + board.constants_in_ram * program.constant_bytes
    if flash > board.flash_bytes:
        return f"about {flash:,} bytes of flash, it has {board.flash_bytes:,}"
    if ram > board.ram_bytes:
        return f"about {ram:,} bytes of RAM, it has {board.ram_bytes:,}"
    return ""
