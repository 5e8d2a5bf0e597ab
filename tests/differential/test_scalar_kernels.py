"""Kernels for cores without SIMD on layers of realistic sizes: portable C under sanitizers equals the interpreter."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from differential.draw import draw_cases
from differential.draw_scalar import VARIANTS, scalar_cases
from differential.programs import differences, render_cases, run_on_host
from midge.kernels.select import layer_of
from midge.kernels.variant import Variant

COUNT = 32


@pytest.mark.parametrize("variant", VARIANTS, ids=[f"{v.op}-{v.name}" for v in VARIANTS])
def test_portable_fallback_equals_the_interpreter(variant: Variant, tmp_path: Path) -> None:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc: apt-get install gcc")
    rendered = render_cases(scalar_cases(variant, COUNT), variant, tmp_path)
    assert differences(rendered, run_on_host(rendered, tmp_path)) == {}


@pytest.mark.parametrize("variant", VARIANTS, ids=[f"{v.op}-{v.name}" for v in VARIANTS])
def test_all_ways_to_requantize_are_drawn(variant: Variant) -> None:
    found = set()
    for case in (*scalar_cases(variant, COUNT), *draw_cases(variant.op, 4 * COUNT)):
        layer = layer_of(case.graph, 0)
        if variant.fits(layer):
            params = variant.bind(layer).params
            found.add((params["split"] != -1, params["is_signed"]))
    assert found == {(True, True), (True, False), (False, False)}
