"""Distillation: the student comes nearer to its teacher, and may start from a part of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midge.compress.steps import Distil
from midge.data import Dataset, load_data
from midge.errors import SettingsError
from midge.importers import import_model
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import Tensor
from midge.ir.verify import verify
from midge.passes import CANONICALIZE, run_passes
from midge.settings import Settings

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "midge[train]"')

from midge.train.dequantized import dequantized  # noqa: E402
from midge.train.distil import distil  # noqa: E402
from midge.train.inherit import inherit  # noqa: E402

SETTINGS = Settings(calibration_samples=40)
DIGITS = Path(__file__).parents[3] / "examples" / "digits"


def load(name: str) -> Graph:
    """A float network of the examples."""
    return dequantized(run_passes(import_model(DIGITS / name).graph, CANONICALIZE))


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Digits of 8 by 8 pixels."""
    whole = load_data(DIGITS / "digits.npz", load("digits_small.tflite"))
    return replace(whole, calibrate=whole.calibrate[:400])


def narrower(graph: Graph, channels: dict[int, int]) -> Graph:
    """The graph with fewer channels, all weights zero: sizes are replaced in every shape."""

    def shrunk(tensor: Tensor) -> Tensor:
        shape = tuple(channels.get(n, n) for n in tensor.shape)
        return replace(tensor, shape=shape, data=None if tensor.data is None else np.zeros(shape, np.float32))

    return verify(replace(graph, tensors={n: shrunk(t) for n, t in graph.tensors.items()}))


def test_a_student_comes_nearer_to_its_teacher(data: Dataset) -> None:
    teacher = load("digits.tflite")
    student = inherit(narrower(teacher, {16: 8, 32: 12}), teacher)
    made = distil(student, teacher, data, Distil(epochs=5, learning_rate=1e-2), SETTINGS).history
    assert made.epochs[made.best].watched_loss < 0.5 * made.epochs[0].watched_loss


def test_features_of_other_widths_are_compared_through_a_projection(data: Dataset) -> None:
    teacher = load("digits.tflite")
    student = inherit(narrower(teacher, {16: 8, 32: 12}), teacher)
    layer = teacher.ops[2].name
    options = Distil(epochs=1, features=((layer, layer),))
    with_features = distil(student, teacher, data, options, SETTINGS).history.epochs
    assert (
        with_features[0].watched_loss > distil(student, teacher, data, Distil(epochs=1)).history.epochs[0].watched_loss
    )
    with pytest.raises(SettingsError, match="no layer nonsense"):
        distil(student, teacher, data, Distil(features=(("nonsense", layer),)), SETTINGS)


def test_a_student_as_wide_as_its_teacher_inherits_all_of_it() -> None:
    teacher = load("digits.tflite")
    student = inherit(narrower(teacher, {}), teacher)
    x = np.random.default_rng(0).random(teacher.input_tensors[0].shape, np.float32)
    np.testing.assert_array_equal(interpret(student, [x])[0], interpret(teacher, [x])[0])


def test_channels_that_do_nothing_are_those_that_are_left_behind() -> None:
    """A teacher whose surplus channels have no weights computes what the narrower student does."""
    narrow = load("digits.tflite")
    inner = {16: 19, 32: 40}
    wide = narrower(narrow, inner)
    places = {n: np.sort(np.random.default_rng(n).permutation(m)[:n]) for n, m in inner.items()}

    def widened(tensor: Tensor) -> Tensor:
        small = narrow.tensors[tensor.name].data
        if tensor.data is None or small is None:
            return tensor
        large = np.zeros(tensor.shape, np.float32)
        large[np.ix_(*(places.get(n, np.arange(n)) for n in small.shape))] = small
        return replace(tensor, data=large)

    teacher = replace(wide, tensors={n: widened(t) for n, t in wide.tensors.items()})
    student = inherit(narrower(teacher, {m: n for n, m in inner.items()}), teacher)
    x = np.random.default_rng(0).random(narrow.input_tensors[0].shape, np.float32)
    np.testing.assert_allclose(interpret(student, [x])[0], interpret(narrow, [x])[0], rtol=1e-4, atol=1e-5)


def test_a_teacher_of_another_task_is_refused(data: Dataset) -> None:
    graph = load("digits_small.tflite")
    with pytest.raises(SettingsError, match="the teacher"):
        distil(graph, narrower(load("digits.tflite"), {10: 7}), data, Distil(), SETTINGS)
