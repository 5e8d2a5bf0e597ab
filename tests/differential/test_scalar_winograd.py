"""Winograd's convolution for cores without SIMD: portable C under sanitizers equals the interpreter."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from differential.draw_scalar import WINOGRAD, scalar_cases
from differential.programs import differences, render_cases, run_on_host
from midge.kernels.select import layer_of

COUNT = 16


def test_portable_form_equals_the_interpreter(tmp_path: Path) -> None:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc: apt-get install gcc")
    variant = WINOGRAD["riscv_winograd"]
    rendered = render_cases(scalar_cases(variant, COUNT)[:10], variant, tmp_path)
    assert differences(rendered, run_on_host(rendered, tmp_path)) == {}


def test_all_that_the_template_tells_apart_is_drawn() -> None:
    variant = WINOGRAD["riscv_winograd"]
    found = [variant.bind(layer_of(case.graph, 0)).params for case in scalar_cases(variant, COUNT)]
    for name in ("is_signed", "copied", "inside"):
        assert {bool(params[name]) for params in found} == {True, False}
    assert {min(int(str(params["batch"])), 2) for params in found} == {1, 2}
    assert {int(str(params["tiles"])) % 2 for params in found} == {0, 1}


def test_the_cores_differ_in_needs_and_estimates_alone() -> None:
    layer = layer_of(scalar_cases(WINOGRAD["riscv_winograd"], 1)[0].graph, 0)
    assert len({variant.needs for variant in WINOGRAD.values()}) == len(WINOGRAD)
    bound = [variant.bind(layer) for variant in WINOGRAD.values()]
    assert all(binding.params == bound[0].params for binding in bound)
