"""Cores whose compiler cannot link float arithmetic: their firmware is refused in words, before anything is built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from differential.draw import draw_cases
from midge.boards import list_twin_cores, load_core
from midge.errors import UnsupportedModelError
from midge.importers import import_model
from midge.kernels.select import layer_of, refuse_floats, select, variants
from midge.pipeline import Compiled, compile_model
from midge.run.devices import build_firmware
from midge.settings import Settings
from midge.tune.every_board import fit_boards

DIGITS = Path(__file__).parents[3] / "examples" / "digits" / "digits.tflite"
WITHOUT = tuple(name for name in list_twin_cores() if (gcc := load_core(name).gcc) is not None and not gcc.floats)


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    """A float network, deployed as it is."""
    return compile_model(import_model(DIGITS), Settings(board="xtensa-lx106", precision="as-is"))


def test_the_xtensa_cores_are_those_without_floats() -> None:
    assert WITHOUT == ("xtensa-lx106", "xtensa-lx6")


def test_every_layer_that_computes_with_floats_is_named(compiled: Compiled, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="xtensa-lx106-elf-gcc brings no float arithmetic") as caught:
        build_firmware(compiled, tmp_path)
    for layer, _ in compiled.selection.layers():
        assert layer.op.name in caught.value.message
    assert "int8" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_core_whose_compiler_links_floats_takes_them(compiled: Compiled) -> None:
    refuse_floats(compiled.selection, load_core("cortex-m0plus"))


def test_an_int8_quotient_is_a_float_inside_and_nothing_else_is() -> None:
    (portable,) = (v for v in variants("binary") if v.name == "portable")
    core, seen = load_core("xtensa-lx106"), set()
    for case in draw_cases("binary", 60, seed=1):
        if any(tensor.dtype.numpy.kind == "f" for tensor in case.graph.tensors.values()):
            continue
        seen.add(case.op.kind)
        assert portable.floats(layer_of(case.graph, 0)) == (case.op.kind == "div")
        if case.op.kind != "div":
            refuse_floats(select(case.graph, core), core)
    assert {"div", "maximum"} < seen


def test_fit_says_it_instead_of_failing(compiled: Compiled) -> None:
    settings = replace(compiled.settings, board="d1_mini")
    (found,) = fit_boards(compiled.imported, settings, ["xtensa-lx106"], None)
    assert not found.fits
    assert found.advice.startswith("another core: xtensa-lx106-elf-gcc brings no float arithmetic")
