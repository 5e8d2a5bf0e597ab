"""The Python interface: what `import midge` promises."""

from __future__ import annotations

from pathlib import Path

import pytest

import midge

DIGITS = Path(__file__).resolve().parents[2] / "examples" / "digits"


def test_every_promised_name_is_there() -> None:
    for name in midge.__all__:
        assert getattr(midge, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = midge.nonsense  # type: ignore[attr-defined]


def test_the_lines_of_the_docstring_compile_a_model() -> None:
    model = midge.import_model(DIGITS / "digits.tflite")
    data = midge.load_data(DIGITS / "digits.npz", model.graph)
    compiled = midge.compile_model(model, midge.Settings(board="nucleo_l4r5zi"), data)
    assert {"model.h", "model.c", "weights.c"} <= set(compiled.sources)
    assert compiled.program.arena_bytes >= compiled.program.arena_lower_bound_bytes
    assert not compiled.graph.is_float
