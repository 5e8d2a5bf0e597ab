"""A damaged ONNX file gives a clear error or a sound graph: never a traceback, never a wait.

MIDGE_CORRUPTIONS sets how many are drawn, MIDGE_CORRUPTIONS_FROM the first number (a failure names its own).
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from midge.errors import ModelFileError, UnsupportedModelError
from midge.importers.onnx import import_onnx
from midge.ir.verify import verify
from midge.passes import CANONICALIZE, run_passes
from property.corruption import Case, cases

COUNT = int(os.environ.get("MIDGE_CORRUPTIONS", "1000"))
FIRST = int(os.environ.get("MIDGE_CORRUPTIONS_FROM", "0"))
SECONDS_AT_MOST = 10.0
# Small files are nearly all structure: damage rarely hits a weight alone.
LARGEST_BYTES = 50_000


def outcome(case: Case) -> str:
    """How the import of a damaged file ends; anything but the two errors or a sound graph goes up as it is."""
    start = time.perf_counter()
    try:
        run_passes(verify(import_onnx(case.data, case.path.stem, case.path.parent)), CANONICALIZE)
        result = "graph"
    except (ModelFileError, UnsupportedModelError) as error:
        result = type(error).__name__ if error.message and error.hint else "an error without words"
    took = time.perf_counter() - start
    assert took < SECONDS_AT_MOST, f"{case} took {took:.1f} s"
    return result


def model_files(assets: Path) -> list[Path]:
    found = [p for folder in ("onnx", "onnx_node") for p in (assets / "models" / folder).rglob("*.onnx")]
    files = sorted(p for p in found if p.stat().st_size <= LARGEST_BYTES)
    assert len(files) > 200, f"only {len(files)} model files in {assets}"
    return files


def test_a_corrupted_model_file_gives_a_clear_error_or_a_sound_graph(assets: Path) -> None:
    outcomes: Counter[str] = Counter()
    large = [path for path in model_files(assets) if path.parent.name == "onnx"]
    # Half of the damage goes to whole networks.
    numbers = range(FIRST, FIRST + COUNT // 2)
    for paths in (model_files(assets), large):
        for case in cases(paths, numbers):
            try:
                outcomes[outcome(case)] += 1
            except Exception as error:
                pytest.fail(f"{case}: {type(error).__name__}: {error}")
    print(dict(outcomes))
    assert not outcomes["an error without words"]
    # The drawing is worth something only when it reaches every end.
    assert outcomes["ModelFileError"] > COUNT // 10
    assert outcomes["UnsupportedModelError"] > COUNT // 100
    assert outcomes["graph"] > COUNT // 100


def test_every_truncation_of_a_small_model_is_a_clear_error_or_a_whole_graph(assets: Path) -> None:
    data = (assets / "models/onnx/hello_world_sine.onnx").read_bytes()
    for length in range(len(data) - 1):
        try:
            verify(import_onnx(data[:length], "cut"))
        except (ModelFileError, UnsupportedModelError) as error:
            assert error.message
