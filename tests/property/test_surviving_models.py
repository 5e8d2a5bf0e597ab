"""A damaged model file that midge accepts is a model like any other: it computes, compiles, and its C agrees."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from midge.data import draw_inputs
from midge.errors import MidgeError
from midge.importers import Imported
from midge.importers.tflite import import_tflite
from midge.interpreter import interpret
from midge.measure.agreement import agreement
from midge.pipeline import compile_model
from midge.run.devices import native_device
from midge.settings import Settings
from property.corruption import Case, cases
from thoroughness import draws

pytestmark = pytest.mark.thorough

DRAWN = draws(500, 3000)
RUN_AS_C = 8
LARGEST_BYTES = 60_000


def _survivor(case: Case) -> Imported | None:
    try:
        graph = import_tflite(case.data, case.path.stem)
    except MidgeError:
        return None
    return Imported(graph, case.path, hashlib.sha256(case.data).hexdigest(), "tflite")


def test_survivors_compute_and_compile_and_their_c_agrees(assets: Path, tmp_path: Path) -> None:
    files = sorted(p for p in (assets / "models").rglob("*.tflite") if p.stat().st_size <= LARGEST_BYTES)
    compiled_count = run_count = 0
    for number, case in enumerate(cases(files, range(90_000, 90_000 + DRAWN))):
        imported = _survivor(case)
        if imported is None:
            continue
        inputs = draw_inputs(imported.graph, 1, seed=number)[0]
        try:
            outputs = interpret(imported.graph, inputs)
            compiled = compile_model(imported, Settings(precision="as-is"))
        except MidgeError as error:
            assert error.message, f"{case} ends without words"
            continue
        except Exception as error:
            pytest.fail(f"{case}: {type(error).__name__}: {error}")
        compiled_count += 1
        if compiled_count % 12 == 0 and run_count < RUN_AS_C:
            run_count += 1
            with native_device(compiled, tmp_path / str(number), sanitize=False) as device:
                found = agreement(device.infer(inputs).outputs, outputs)
            assert found.mismatches == 0, f"{case}: {found}"
    assert compiled_count > DRAWN // 50
    assert run_count == RUN_AS_C
