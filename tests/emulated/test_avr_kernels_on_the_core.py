"""The assembly of the kernels for AVR, on layers of realistic sizes, equals the interpreter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from test_kernels_on_the_core import _outputs, _sources

from differential.draw import mismatches
from differential.draw_scalar import AVR_VARIANTS as VARIANTS
from differential.draw_scalar import scalar_cases
from differential.programs import Rendered, render_cases
from midge.boards import load_board
from midge.build.toolchain import compile_firmware, find_toolchain
from midge.errors import MidgeError
from midge.kernels.variant import Variant
from midge.run.simavr.board import SimavrBoard
from midge.run.simavr.runner import find_runner

BOARD = "mega2560"
COUNT = 8
# What one firmware may hold of arenas, and of constants: 16 bits reach no more flash.
_ARENA_BYTES, _CONSTANT_BYTES = 7_000, 40_000


@pytest.mark.parametrize("variant", VARIANTS, ids=[f"{v.op}-{v.name}" for v in VARIANTS])
def test_assembly_equals_the_interpreter(variant: Variant, tmp_path: Path) -> None:
    board = load_board(BOARD)
    try:
        find_runner()
        toolchain = find_toolchain(board.core)
    except MidgeError as error:
        pytest.skip(f"needs what is not installed: {error.hint}")
    cases = scalar_cases(variant, COUNT, seed=1)
    wrong, compared = {}, 0
    for number, part in enumerate(_parts(render_cases(cases, variant, tmp_path / "cases"))):
        image = compile_firmware(_sources(part), board, toolchain, tmp_path / f"build{number}")
        with closing(SimavrBoard(image, board)) as line:
            for item, found in zip(part, _outputs(line, part), strict=True):  # type: ignore[arg-type]
                for value, expected in zip(found, item.case.evaluate(), strict=True):
                    compared += value.size
                    if count := mismatches(value, expected):
                        wrong[item.case.graph.name] = f"{count} of {value.size} values: {item.case.op}"
    assert compared
    assert not wrong


def _parts(rendered: Sequence[Rendered]) -> Iterator[list[Rendered]]:
    """The cases by firmware; those that fit no board of this kind are left out."""
    part: list[Rendered] = []
    for item in rendered:
        if item.program.arena_bytes > _ARENA_BYTES or item.program.constant_bytes > _CONSTANT_BYTES:
            continue
        programs = [i.program for i in (*part, item)]
        full = sum(p.arena_bytes + 16 for p in programs) > _ARENA_BYTES
        if full or sum(p.constant_bytes for p in programs) > _CONSTANT_BYTES:
            yield part
            part = []
        part.append(item)
    if part:
        yield part
