"""--shape: what the user says of dimensions that a file leaves open."""

from __future__ import annotations

from pathlib import Path

import pytest

from midge.errors import SettingsError, UnsupportedModelError
from midge.importers import import_model
from midge.importers.shapes import parse_shapes, resolve

DIGITS = Path(__file__).resolve().parents[3] / "examples" / "digits" / "digits.tflite"


def test_a_shape_is_a_name_and_numbers() -> None:
    assert parse_shapes(["x=1,28,28", "a=b:0=3"]) == {"x": (1, 28, 28), "a=b:0": (3,)}


@pytest.mark.parametrize("text", ["x", "x=", "=1,2", "x=1,,2", "x=1,-2", "x=1,two", "x=0,3", "x=99999999999999"])
def test_anything_else_is_refused_in_words(text: str) -> None:
    with pytest.raises(SettingsError, match="--shape"):
        parse_shapes([text])


def test_open_dimensions_are_filled_and_a_batch_is_one() -> None:
    assert resolve("x", (0, 0, 5), (2, 7, 5)) == ((2, 7, 5), ())
    assert resolve("x", (0, 7, 5), None) == ((1, 7, 5), ())
    assert resolve("x", (0, 0, 5), None) == ((1, 1, 5), (1,))


@pytest.mark.parametrize("given", [(1, 7), (1, 7, 6), (1, 7, 5, 1)])
def test_what_the_file_fixes_stays(given: tuple[int, ...]) -> None:
    with pytest.raises(SettingsError, match=r"the file says \?,\?,5"):
        resolve("x", (0, 0, 5), given)


def test_a_file_that_fixes_its_shapes_takes_no_other() -> None:
    name = import_model(DIGITS).graph.inputs[0]
    shape = import_model(DIGITS).graph.input_tensors[0].shape
    assert import_model(DIGITS, {name: shape}).graph.inputs == (name,)
    with pytest.raises(SettingsError, match="the file fixes the shape"):
        import_model(DIGITS, {name: (2, *shape[1:])})
    with pytest.raises(SettingsError, match="no such input"):
        import_model(DIGITS, {"nobody": shape})


def test_an_open_dimension_says_what_to_give(assets: Path) -> None:
    path = assets / "models" / "onnx" / "lstm_k1.onnx"
    with pytest.raises(UnsupportedModelError, match=r"--shape input_1=\?,\?,5"):
        import_model(path)
    assert import_model(path, {"input_1": (1, 7, 5)}).graph.input_tensors[0].shape == (1, 7, 5)
