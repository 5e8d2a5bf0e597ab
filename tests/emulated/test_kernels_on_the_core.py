"""The backbone on the core's own instructions: every kernel variant, drawn layers, an emulated core that has what the
variant needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from _pytest.mark import ParameterSet

from differential.draw import cases_that_fit, mismatches
from differential.programs import Rendered, render_cases
from midge.boards import load_board
from midge.build.toolchain import Toolchain, compile_firmware, find_toolchain
from midge.ir.tensor import Array
from midge.kernels.select import kinds, variants
from midge.kernels.variant import Variant
from midge.run.emulator import EmulatedBoard
from thoroughness import draws

pytestmark = pytest.mark.thorough

COUNT = draws(6, 24)
BOARD = "cortex-m4f"
# Where a variant runs that the first board has no features for.
OTHER_BOARDS = ("cortex-m0plus", "cortex-m3")


def _boards(variant: Variant) -> tuple[str, ...]:
    able = tuple(name for name in (BOARD, *OTHER_BOARDS) if variant.runs_on(load_board(name).core))
    return able[:1] if BOARD in able else able


def _runs() -> list[ParameterSet]:
    """Every variant with both compilers; what no core has instructions for, with the second one in the long target."""
    runs = []
    for kind in kinds():
        for variant in variants(kind):
            for board in _boards(variant):
                for compiler in ("gcc", "zig"):
                    marks = [] if compiler == "gcc" or variant.needs else [pytest.mark.long]
                    name = f"{compiler}-{kind}-{variant.name}-{board}"
                    runs.append(pytest.param(kind, variant, board, compiler, marks=marks, id=name))
    return runs


_RECEIVE = """
__attribute__((unused)) static void receive(void *to, size_t bytes) {
    uint8_t *next = to;
    for (size_t left = bytes; left > 0;) {
        const size_t got = midge_port_read(next, left);
        next += got;
        left -= got;
    }
}
"""


@pytest.mark.parametrize(("kind", "variant", "board_name", "toolchain"), _runs(), indirect=["toolchain"])
def test_a_kernel_on_the_core_equals_the_interpreter(
    kind: str, variant: Variant, board_name: str, toolchain: Toolchain, tmp_path: Path
) -> None:
    board = load_board(board_name)
    toolchain = find_toolchain(board.core, toolchain.name)
    rendered = render_cases(cases_that_fit(kind, variant, COUNT), variant, tmp_path / "cases")
    assert rendered, "no drawn layer fits"
    image = compile_firmware(_sources(rendered), board, toolchain, tmp_path / "build")
    emulated = EmulatedBoard(image, board)
    wrong = {}
    for item, found in zip(rendered, _outputs(emulated, rendered), strict=True):
        for value, expected in zip(found, item.case.evaluate(), strict=True):
            if count := mismatches(value, expected):
                wrong[item.case.graph.name] = f"{count} of {value.size} values: {item.case.op}"
    assert not wrong


def _sources(rendered: Sequence[Rendered]) -> dict[str, str]:
    """All cases as one model file, each in a folder of its own, and a main that runs one after the other."""
    sources = {"main.c": _main(rendered)}
    includes = []
    for item in rendered:
        folder = f"cases/{item.folder.name}"
        for file in item.folder.iterdir():
            # Not .c: the build would compile each on its own as well.
            name = file.name.replace(".c", ".inc")
            sources[f"{folder}/{name}"] = file.read_text()
        includes += [f'#include "{folder}/{name}"\n' for name in ("model.inc", "weights.inc")]
    sources["cases.c"] = "#undef AT\n".join(includes)
    return sources


def _main(rendered: Sequence[Rendered]) -> str:
    lines = ['#include "port/port.h"']
    lines += [f'#include "cases/{item.folder.name}/model.h"' for item in rendered]
    lines += [_RECEIVE, "int main(void) {", "midge_port_init();"]
    for item in rendered:
        p = item.program
        lines += [f"receive({p.prefix}_{port.symbol}(), {port.bytes});" for port in p.inputs]
        lines += [f"{p.prefix}_reset();"] if p.states else []
        lines += [f"{p.prefix}_run();"]
        lines += [f"midge_port_write((const uint8_t *){p.prefix}_{o.symbol}(), {o.bytes});" for o in p.outputs]
    return "\n".join([*lines, "for (;;) { uint8_t byte; (void)midge_port_read(&byte, 1); }", "}", ""])


def _outputs(board: EmulatedBoard, rendered: Sequence[Rendered]) -> list[list[Array]]:
    board.write(b"".join(value.tobytes() for item in rendered for value in item.case.inputs))
    results = []
    for item in rendered:
        ports = item.program.outputs
        results.append([np.frombuffer(board.read(p.bytes), p.dtype.numpy).reshape(p.shape) for p in ports])
    return results
