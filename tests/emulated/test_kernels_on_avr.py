"""The backbone on 8 bits: every kernel that an AVR can run, drawn layers, as exact as anywhere else.

An `int` has 16 bits there, constants lie in a memory of their own that only pointers with MIDGE_FLASH reach, floats are
computed by software. Many layers share a firmware, as many as fit a Mega.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from test_kernels_on_the_core import _outputs, _sources

from differential.draw import Case, draw_cases, mismatches
from differential.programs import Rendered, program_of, write_case
from midge.boards import load_board
from midge.build.toolchain import compile_firmware, find_toolchain
from midge.errors import MidgeError
from midge.kernels.select import kinds, layer_of, variants
from midge.kernels.variant import Variant
from midge.lower.program import Program
from midge.run.simavr.board import SimavrBoard
from midge.run.simavr.runner import find_runner

BOARD = "mega2560"
DRAWN, TAKEN = 12, 3
_LARGEST_ARENA, _ARENAS = 2048, 6144
_CONSTANTS = 32768
_CASES = 40
_DRAWS = 8


@lru_cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="midge-")


def _small(kind: str, variant: Variant) -> list[tuple[Case, Program]]:
    """Layers that the variant fits and whose arenas are small: of the first draw that has any."""
    for seed in range(2, 2 + _DRAWS):
        # A kernel for few layers fits few of the drawn ones.
        cases = draw_cases(kind, DRAWN if variant.name == "portable" else 8 * DRAWN, seed)
        fitting = [case for case in cases if variant.fits(layer_of(case.graph, 0))][:DRAWN]
        programs = [(case, program_of(case, variant)) for case in fitting]
        if small := [(case, program) for case, program in programs if program.arena_bytes <= _LARGEST_ARENA]:
            return small
    return []


def _rendered() -> Iterator[Rendered]:
    """A few layers that fit, of every kind and variant."""
    core = load_board(BOARD).core
    for kind in kinds():
        for variant in (v for v in variants(kind) if v.runs_on(core)):
            small = _small(kind, variant)
            assert small, f"no drawn {kind} for {variant.name} fits {BOARD}"
            for case, program in small[:TAKEN]:
                yield write_case(case, program, Path(_folder().name) / kind / variant.name)


@lru_cache
def firmwares() -> tuple[tuple[Rendered, ...], ...]:
    """The layers in as many firmwares as they need."""
    groups: list[list[Rendered]] = [[]]
    for item in _rendered():
        group = [*groups[-1], item]
        arenas, constants = (sum(getattr(i.program, f"{what}_bytes") for i in group) for what in ("arena", "constant"))
        names = {i.case.graph.name for i in group}
        if arenas > _ARENAS or constants > _CONSTANTS or len(group) > _CASES or len(names) < len(group):
            groups.append([])
        groups[-1].append(item)
    return tuple(map(tuple, groups))


def test_kernels_on_an_avr_equal_the_interpreter(tmp_path: Path) -> None:
    board = load_board(BOARD)
    try:
        find_runner()
        toolchain = find_toolchain(board.core)
    except MidgeError as error:
        if "apt install" not in error.hint:
            raise
        pytest.skip(f"needs what is not installed: {error.hint}")
    wrong = {}
    for number, rendered in enumerate(firmwares()):
        image = compile_firmware(_sources(rendered), board, toolchain, tmp_path / str(number))
        with closing(SimavrBoard(image, board)) as emulated:
            wrong |= _mismatches(emulated, rendered)
    assert not wrong


def _mismatches(emulated: SimavrBoard, rendered: Sequence[Rendered]) -> dict[str, str]:
    wrong = {}
    for item, found in zip(rendered, _outputs(emulated, rendered), strict=True):  # type: ignore[arg-type]
        for value, expected in zip(found, item.case.evaluate(), strict=True):
            if count := mismatches(value, expected):
                wrong[item.folder.name] = f"{count} of {value.size} values: {item.case.op}"
    return wrong
