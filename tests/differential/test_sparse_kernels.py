"""Kernels that leave zeros out, on sparse matrices: their portable C under sanitizers equals the interpreter."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from differential.draw_sparse import VARIANTS, sparse_cases
from differential.programs import differences, render_cases, run_on_host
from midge.kernels.variant import Variant

COUNT = 5
IDS = [f"{v.op}-{v.name}" for v in VARIANTS]


@pytest.mark.parametrize("variant", VARIANTS, ids=IDS)
def test_portable_form_equals_the_interpreter(variant: Variant, tmp_path: Path) -> None:
    _compare(variant, tmp_path, COUNT, 40)


@pytest.mark.long
@pytest.mark.parametrize("variant", VARIANTS, ids=IDS)
def test_portable_form_of_wide_layers_equals_the_interpreter(variant: Variant, tmp_path: Path) -> None:
    _compare(variant, tmp_path, 40, 2500)


def _compare(variant: Variant, folder: Path, count: int, widest: int) -> None:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc: apt-get install gcc")
    rendered = render_cases(sparse_cases(variant, count, widest=widest), variant, folder)
    assert differences(rendered, run_on_host(rendered, folder)) == {}
