"""A damaged model file gives a clear error or a sound graph: never a traceback, never a wait.

MIDGE_CORRUPTIONS sets how many are drawn of each format, MIDGE_CORRUPTIONS_FROM the first number (a failure names its
own).
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from midge.errors import ModelFileError, UnsupportedModelError
from midge.importers.onnx import import_onnx
from midge.importers.tflite import import_tflite
from midge.ir.graph import Graph
from midge.ir.verify import verify
from midge.passes import CANONICALIZE, run_passes
from property.corruption import Case, cases
from thoroughness import draws

pytestmark = pytest.mark.thorough

FIRST = int(os.environ.get("MIDGE_CORRUPTIONS_FROM", "0"))
SECONDS_AT_MOST = 10.0


def count(usual: int) -> int:
    return int(os.environ.get("MIDGE_CORRUPTIONS", draws(usual, 5 * usual)))


def read_tflite(case: Case) -> Graph:
    return verify(import_tflite(case.data, case.path.stem))


def read_onnx(case: Case) -> Graph:
    return run_passes(verify(import_onnx(case.data, case.path.stem, case.path.parent)), CANONICALIZE)


def outcome(case: Case, read: Callable[[Case], Graph]) -> str:
    """How the import of a damaged file ends; anything but the two errors or a sound graph goes up as it is."""
    start = time.perf_counter()
    try:
        read(case)
        result = "graph"
    except (ModelFileError, UnsupportedModelError) as error:
        result = type(error).__name__ if error.message and error.hint else "an error without words"
    took = time.perf_counter() - start
    assert took < SECONDS_AT_MOST, f"{case} took {took:.1f} s"
    return result


def outcomes(drawn: Iterable[Case], read: Callable[[Case], Graph]) -> Counter[str]:
    """How often the import ends in each way."""
    found: Counter[str] = Counter()
    for case in drawn:
        try:
            found[outcome(case, read)] += 1
        except Exception as error:
            pytest.fail(f"{case}: {type(error).__name__}: {error}")
    print(dict(found))
    assert not found["an error without words"]
    return found


def small(paths: Iterable[Path], largest_bytes: int, fewest: int) -> list[Path]:
    """Small files are nearly all structure: damage rarely hits a weight alone."""
    files = sorted(path for path in paths if path.stat().st_size <= largest_bytes)
    assert len(files) > fewest, f"only {len(files)} model files"
    return files


def test_a_corrupted_tflite_file_gives_a_clear_error_or_a_sound_graph(assets: Path) -> None:
    drawn = count(1200)
    # All that midge reads and some that it refuses.
    files = small((assets / "models").rglob("*.tflite"), 120_000, 50)
    found = outcomes(cases(files, range(FIRST, FIRST + drawn)), read_tflite)
    # The drawing is worth something only when it reaches every end.
    assert found["ModelFileError"] > drawn // 10
    assert found["graph"] > drawn // 100


def test_a_corrupted_onnx_file_gives_a_clear_error_or_a_sound_graph(assets: Path) -> None:
    drawn, folders = count(600), [assets / "models" / name for name in ("onnx", "onnx_node")]
    files = small((path for folder in folders for path in folder.rglob("*.onnx")), 50_000, 200)
    large = [path for path in files if path.parent.name == "onnx"]
    # Half of the damage goes to whole networks.
    numbers = range(FIRST, FIRST + drawn // 2)
    found = outcomes((case for paths in (files, large) for case in cases(paths, numbers)), read_onnx)
    assert found["ModelFileError"] > drawn // 10
    assert found["UnsupportedModelError"] > drawn // 100
    assert found["graph"] > drawn // 100


def test_every_truncation_of_a_small_tflite_model_is_a_clear_error(assets: Path) -> None:
    data = (assets / "models/tflm/simple_add_int8.tflite").read_bytes()
    for length in range(len(data) - 1):
        with pytest.raises((ModelFileError, UnsupportedModelError)):
            import_tflite(data[:length], "cut")


def test_every_truncation_of_a_small_onnx_model_is_a_clear_error_or_a_whole_graph(assets: Path) -> None:
    data = (assets / "models/onnx/hello_world_sine.onnx").read_bytes()
    for length in range(len(data) - 1):
        try:
            verify(import_onnx(data[:length], "cut"))
        except (ModelFileError, UnsupportedModelError) as error:
            assert error.message
