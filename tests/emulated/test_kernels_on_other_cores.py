"""The backbone on cores that are not Arm's: every integer kernel that they can run, drawn layers, in one firmware for
each kind of variant. An LX106 has no unaligned loads and an unsigned char."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest
from test_kernels_on_the_core import _outputs, _sources

from differential.draw import cases_that_fit, mismatches
from differential.draw_tensors import Case
from differential.programs import Rendered, render_cases
from midge.boards import Core, Qemu, load_board
from midge.build.toolchain import compile_firmware, find_toolchain
from midge.errors import MidgeError, MissingExtraError
from midge.kernels.select import kinds, layer_of, variants
from midge.kernels.variant import Variant
from midge.run.emulator import EmulatedBoard
from midge.run.qemu import QemuBoard
from thoroughness import draws

pytestmark = pytest.mark.thorough

COUNT = draws(8, 24)
CORES = ("rv32imc", "xtensa-lx106", "xtensa-lx6")
_READ_SECONDS = 60.0


def _variant_names(board: str) -> list[str]:
    core = load_board(board).core
    return sorted({v.name for kind in kinds() for v in variants(kind) if v.runs_on(core)})


# The LX6's twin runs the LX106's code: only what it can do beyond that is new.
_KNOWN = {"xtensa-lx6": set(_variant_names("xtensa-lx106"))}
RUNS = [(core, name) for core in CORES for name in _variant_names(core) if name not in _KNOWN.get(core, set())]


@pytest.mark.parametrize(("core", "name"), RUNS, ids=[f"{core}-{name}" for core, name in RUNS])
def test_kernels_on_another_core_equal_the_interpreter(core: str, name: str, tmp_path: Path) -> None:
    board = load_board(core)
    rendered = _rendered(name, board.core, tmp_path)
    wrong = {}
    with ExitStack() as open_boards:
        try:
            image = compile_firmware(_sources(rendered), board, find_toolchain(board.core), tmp_path / "build")
            if isinstance(board.core.emulator, Qemu):
                qemu = open_boards.enter_context(closing(QemuBoard(image, board, tmp_path)))
                qemu.port.timeout = _READ_SECONDS
                line: EmulatedBoard = qemu.port  # type: ignore[assignment]
            else:
                line = EmulatedBoard(image, board)
        except MissingExtraError as error:
            pytest.skip(f"needs what is not installed: {error.hint}")
        except MidgeError as error:
            if "apt install" not in error.hint:
                raise
            pytest.skip(f"needs a compiler: {error.hint}")
        for item, found in zip(rendered, _outputs(line, rendered), strict=True):
            for value, expected in zip(found, item.case.evaluate(), strict=True):
                if count := mismatches(value, expected):
                    wrong[item.case.graph.name] = f"{count} of {value.size} values: {item.case.op}"
    assert not wrong


def _rendered(name: str, core: Core, folder: Path) -> list[Rendered]:
    """Integer cases of all operators that have a variant of that name, but for what its compiler could not link."""
    rendered: list[Rendered] = []
    for kind in kinds():
        for variant in (v for v in variants(kind) if v.name == name):
            if cases := cases_that_fit(kind, variant, COUNT, 1, partial(_can_be_done, core, variant)):
                rendered += render_cases(cases, variant, folder / kind)
    assert rendered, f"no drawn layer fits {name}"
    return rendered


def _can_be_done(core: Core, variant: Variant, case: Case) -> bool:
    """Integers; and nothing that computes with floats where the compiler cannot link that."""
    links_floats = core.gcc is not None and core.gcc.floats
    return not _has_floats(case) and (links_floats or not variant.floats(layer_of(case.graph, 0)))


def _has_floats(case: Case) -> bool:
    return any(tensor.dtype.numpy.kind == "f" for tensor in case.graph.tensors.values())
