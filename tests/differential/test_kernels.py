"""The backbone: every kernel variant on drawn layers gives what the interpreter gives, bit for bit in integers.

A new variant is tested by existing: operators and variants are discovered.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from differential.draw import cases_that_fit, mismatches
from differential.programs import SANITIZED, WARNINGS, Rendered, compile_files, render_cases, run_cases
from midge.kernels.select import kinds, variants
from thoroughness import draws

pytestmark = pytest.mark.thorough

COUNT = draws(12, 48)
# All tests of a variant run in one process: its cases are drawn and rendered once.
VARIANTS = [
    pytest.param((kind, variant), id=(name := f"{kind}-{variant.name}"), marks=pytest.mark.xdist_group(name))
    for kind in kinds()
    for variant in variants(kind)
]


@pytest.fixture(scope="module", params=VARIANTS)
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Rendered]:
    kind, variant = request.param
    cases = cases_that_fit(kind, variant, COUNT)
    assert cases, f"no drawn layer fits {variant.name}"
    return render_cases(cases, variant, tmp_path_factory.mktemp(f"{kind}-{variant.name}"))


def _folder(rendered: Sequence[Rendered]) -> Path:
    return rendered[0].folder.parent


def _compiler(name: str) -> str:
    if not shutil.which(name):
        pytest.skip(f"needs {name}: apt-get install {name}")
    return name


@pytest.mark.parametrize(
    "command",
    [list(SANITIZED), ["clang", "-O3"]],
    ids=["gcc-sanitized", "clang-optimized"],
)
def test_generated_c_equals_the_interpreter(rendered: list[Rendered], command: list[str]) -> None:
    folder = _folder(rendered)
    executable = folder / command[0]
    files = ["main.c", "cases.c", "-o", str(executable)]
    compile_files([_compiler(command[0]), *command[1:], *WARNINGS, *files], folder)
    wrong = {}
    for item, found in zip(rendered, run_cases(executable, rendered), strict=True):
        for value, expected in zip(found, item.case.evaluate(), strict=True):
            if count := mismatches(value, expected):
                wrong[item.case.graph.name] = f"{count} of {value.size} values: {item.case.op}"
    assert not wrong


def test_the_header_is_for_cpp_too(rendered: list[Rendered]) -> None:
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    compile_files([_compiler("g++"), *flags, "headers.cpp"], _folder(rendered))


CLUMSY = ("- -", "+ -", " * 1)", " * 1;", " * 1]", "+ 0)", "+ 0;", "+ 0]", "[0 + ", "(0 + ")


def test_generated_c_is_laid_out(rendered: list[Rendered]) -> None:
    for item in rendered:
        for path in item.folder.iterdir():
            for line in path.read_text().splitlines():
                assert len(line) <= 120, line
                assert line == line.rstrip(), line
                assert path.name != "model.c" or not any(clumsy in line for clumsy in CLUMSY), line
