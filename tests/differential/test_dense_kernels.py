"""The kernels for 16-bit SIMD on layers of realistic sizes: portable C under sanitizers equals the interpreter."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from differential.draw_dense import DRAWS, fitting_cases
from differential.programs import differences, render_cases, run_on_host
from midge.kernels.select import variants
from midge.kernels.variant import Variant

COUNT = 24
VARIANTS = [v for kind, name in DRAWS for v in variants(kind) if v.name == name]


@pytest.mark.parametrize("variant", VARIANTS, ids=[f"{v.op}-{v.name}" for v in VARIANTS])
def test_portable_fallback_equals_the_interpreter(variant: Variant, tmp_path: Path) -> None:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc: apt-get install gcc")
    rendered = render_cases(fitting_cases(variant, COUNT), variant, tmp_path)
    assert differences(rendered, run_on_host(rendered, tmp_path)) == {}


@pytest.mark.parametrize("variant", VARIANTS, ids=[f"{v.op}-{v.name}" for v in VARIANTS])
def test_both_ways_to_requantize_are_drawn(variant: Variant, tmp_path: Path) -> None:
    rendered = render_cases(fitting_cases(variant, COUNT), variant, tmp_path)
    lines = [item.program.calls[0].params["shift"] != -1 for item in rendered]
    assert 4 <= sum(lines) <= COUNT - 4
