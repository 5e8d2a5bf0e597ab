"""Kernels for AVR on layers of realistic sizes: their portable C under sanitizers equals the interpreter."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import cast

import pytest

from differential.draw import mismatches
from differential.draw_scalar import AVR_VARIANTS, scalar_cases
from differential.draw_tensors import Case
from differential.programs import SANITIZED, WARNINGS, compile_files, render_cases, run_cases
from midge.kernels.select import layer_of
from midge.kernels.variant import Variant

COUNT = 10
# The portable form of the shorter one is that of `avr_line`.
VARIANTS = tuple(variant for variant in AVR_VARIANTS if variant.name != "avr_line_short")


@cache
def _cases(variant: Variant) -> tuple[Case, ...]:
    return tuple(scalar_cases(variant, COUNT))


@pytest.mark.parametrize("variant", VARIANTS, ids=[f"{v.op}-{v.name}" for v in VARIANTS])
def test_portable_form_equals_the_interpreter(variant: Variant, tmp_path: Path) -> None:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc: apt-get install gcc")
    rendered = render_cases(_cases(variant), variant, tmp_path)
    compile_files([*SANITIZED, *WARNINGS, "main.c", "cases.c", "-o", str(tmp_path / "run")], tmp_path)
    wrong = {}
    for item, found in zip(rendered, run_cases(tmp_path / "run", rendered), strict=True):
        for value, expected in zip(found, item.case.evaluate(), strict=True):
            if count := mismatches(value, expected):
                wrong[item.case.graph.name] = f"{count} of {value.size} values: {item.case.op}"
    assert not wrong


def test_all_ways_to_keep_and_scale_sums_are_drawn() -> None:
    made = [v.bind(layer_of(case.graph, 0)).params for v in VARIANTS for case in _cases(v) if v.name == "avr_stream"]
    for name, values in (("sum_bytes", {2, 3}), ("pixels", {1, 2})):
        assert {params[name] for params in made} >= values, name
    scalings = [cast(Mapping[str, object], params["scaling"]) for params in made]
    assert {scaling["width"] for scaling in scalings} == {2, 3}
    assert {bool(scaling["below_bytes"]) for scaling in scalings} == {False, True}
    assert {scaling["record"] is None for scaling in scalings} == {False, True}


def test_all_ways_to_do_a_row_are_drawn() -> None:
    made = [v.bind(layer_of(case.graph, 0)).params for v in VARIANTS for case in _cases(v) if v.name == "avr_row"]
    for name, values in (
        ("sum_bytes", {2, 3, 4}),
        ("skips", {False, True}),
        ("is_wide", {False, True}),
        ("is_before", {False, True}),
    ):
        assert {params[name] for params in made} >= values, name
    assert {min(cast(int, params["unroll"]), 3) for params in made if params["skips"]} == {1, 2, 3}
    groups = [cast(Sequence[Mapping[str, object]], params["groups"]) for params in made]
    assert {len(some) for some in groups} == {1, 2}
    assert {group["is_short"] for some in groups for group in some} == {False, True}
    assert {cast(Mapping[str, object], params["scaling"])["record"] is None for params in made} == {False, True}


def test_all_ways_to_have_weights_as_code_are_drawn() -> None:
    made = [v.bind(layer_of(case.graph, 0)).params for v in VARIANTS for case in _cases(v) if v.name == "avr_line"]
    groups = [group for params in made for group in cast(list[Mapping[str, list[object]]], params["groups"])]
    channels = [cast(Mapping[str, object], channel) for group in groups for channel in group["channels"]]
    for name in ("raw", "skips"):
        assert {bool(group[name]) for group in groups} == {False, True}, name
    assert {bool(channel["steps"]) for channel in channels} == {False, True}
    assert {len(cast(Sequence[int], sums)) for group in groups for sums in group["sums"]} == {1, 2}
