"""A damaged model file gives a clear error or a sound graph: never a traceback, never a wait.

MIDGE_CORRUPTIONS sets how many are drawn, MIDGE_CORRUPTIONS_FROM the first number (a failure names its own).
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from midge.errors import ModelFileError, UnsupportedModelError
from midge.importers.tflite import import_tflite
from midge.ir.verify import verify
from property.corruption import Case, cases

COUNT = int(os.environ.get("MIDGE_CORRUPTIONS", "2000"))
FIRST = int(os.environ.get("MIDGE_CORRUPTIONS_FROM", "0"))
SECONDS_AT_MOST = 10.0
# All that midge reads and some that it refuses, the small ones: damage hits their structure more often.
LARGEST_BYTES = 120_000


def outcome(case: Case) -> str:
    """How the import of a damaged file ends; anything but the two errors or a sound graph goes up as it is."""
    start = time.perf_counter()
    try:
        verify(import_tflite(case.data, case.path.stem))
        result = "graph"
    except (ModelFileError, UnsupportedModelError) as error:
        result = type(error).__name__ if error.message and error.hint else "an error without words"
    took = time.perf_counter() - start
    assert took < SECONDS_AT_MOST, f"{case} took {took:.1f} s"
    return result


def model_files(assets: Path) -> list[Path]:
    files = sorted(p for p in (assets / "models").rglob("*.tflite") if p.stat().st_size <= LARGEST_BYTES)
    assert len(files) > 50, f"only {len(files)} model files in {assets}"
    return files


def test_a_corrupted_model_file_gives_a_clear_error_or_a_sound_graph(assets: Path) -> None:
    outcomes: Counter[str] = Counter()
    for case in cases(model_files(assets), range(FIRST, FIRST + COUNT)):
        try:
            outcomes[outcome(case)] += 1
        except Exception as error:
            pytest.fail(f"{case}: {type(error).__name__}: {error}")
    print(dict(outcomes))
    assert not outcomes["an error without words"]
    # The drawing is worth something only when it reaches every end.
    assert outcomes["ModelFileError"] > COUNT // 10
    assert outcomes["graph"] > COUNT // 100


def test_every_truncation_of_a_small_model_is_a_clear_error(assets: Path) -> None:
    data = (assets / "models/tflm/simple_add_int8.tflite").read_bytes()
    for length in range(len(data) - 1):
        with pytest.raises((ModelFileError, UnsupportedModelError)):
            import_tflite(data[:length], "cut")
