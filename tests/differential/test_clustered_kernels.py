"""Kernels for weights of few values or low entropy on layers of realistic sizes: C under sanitizers equals the
interpreter."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from differential.draw_clustered import clustered_cases, coded_cases
from differential.programs import differences, render_cases, run_on_host
from midge.kernels.select import variants
from midge.kernels.variant import Variant

PACKED = [v for kind in ("conv2d", "depthwise_conv2d", "fully_connected") for v in variants(kind) if v.name == "packed"]
CODED = [v for kind in ("conv2d", "fully_connected") for v in variants(kind) if v.name == "coded"]


@pytest.mark.parametrize("variant", PACKED, ids=[v.op for v in PACKED])
def test_indices_of_every_width_give_what_the_interpreter_gives(variant: Variant, tmp_path: Path) -> None:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc: apt-get install gcc")
    rendered = render_cases(clustered_cases(variant, 9), variant, tmp_path)
    widths = Counter(str(item.program.calls[0].params["width"]) for item in rendered)
    assert {"index2", "index4", "index6"} <= widths.keys()
    assert differences(rendered, run_on_host(rendered, tmp_path)) == {}


@pytest.mark.parametrize("variant", CODED, ids=[v.op for v in CODED])
def test_codes_give_what_the_interpreter_gives(variant: Variant, tmp_path: Path) -> None:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc: apt-get install gcc")
    rendered = render_cases(coded_cases(variant, 12), variant, tmp_path)
    assert {item.program.calls[0].params["has_runs"] for item in rendered} == {True, False}
    assert differences(rendered, run_on_host(rendered, tmp_path)) == {}
