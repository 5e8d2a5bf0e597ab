"""Kernels for RV32IM on layers of realistic sizes: portable C under sanitizers equals the interpreter."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from differential.draw_scalar import RISCV_VARIANTS, scalar_cases
from differential.programs import differences, render_cases, run_on_host
from midge.kernels.select import layer_of
from midge.kernels.variant import Variant

COUNT = 20
IDS = [f"{v.op}-{v.name}" for v in RISCV_VARIANTS]


@pytest.mark.parametrize("variant", RISCV_VARIANTS, ids=IDS)
def test_portable_form_equals_the_interpreter(variant: Variant, tmp_path: Path) -> None:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc: apt-get install gcc")
    rendered = render_cases(scalar_cases(variant, COUNT), variant, tmp_path)
    assert differences(rendered, run_on_host(rendered, tmp_path)) == {}


@pytest.mark.parametrize("variant", RISCV_VARIANTS, ids=IDS)
def test_both_ways_to_requantize_are_drawn(variant: Variant) -> None:
    cases = scalar_cases(variant, COUNT)
    found = {variant.bind(layer_of(case.graph, 0)).params["is_signed"] for case in cases}
    assert found == {True, False}
