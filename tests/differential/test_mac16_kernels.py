"""Kernels for MAC16 on layers of realistic sizes: their instructions in portable C, under sanitizers, equal the
interpreter."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from differential.draw_scalar import MAC16_VARIANTS, long_rows, scalar_cases
from differential.programs import differences, render_cases, run_on_host
from midge.kernels.select import layer_of, variants
from midge.kernels.variant import Variant

COUNT = 14
IDS = [f"{v.op}-{v.name}" for v in MAC16_VARIANTS]


@pytest.mark.parametrize("variant", MAC16_VARIANTS, ids=IDS)
def test_portable_form_equals_the_interpreter(variant: Variant, tmp_path: Path) -> None:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc: apt-get install gcc")
    rendered = render_cases(scalar_cases(variant, COUNT), variant, tmp_path)
    assert differences(rendered, run_on_host(rendered, tmp_path)) == {}


@pytest.mark.parametrize("variant", MAC16_VARIANTS, ids=IDS)
def test_both_ways_to_requantize_are_drawn(variant: Variant) -> None:
    found = {bool(variant.bind(layer_of(c.graph, 0)).params["is_signed"]) for c in scalar_cases(variant, COUNT)}
    assert found == {True, False}


def test_rows_of_any_length_are_done(tmp_path: Path) -> None:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc: apt-get install gcc")
    (variant,) = [v for v in variants("fully_connected") if v.name == "mac16_rows"]
    rendered = render_cases(long_rows(4), variant, tmp_path)
    assert len(rendered) == 4
    assert differences(rendered, run_on_host(rendered, tmp_path)) == {}
