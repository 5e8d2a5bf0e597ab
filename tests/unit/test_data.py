"""Data files, goldens and drawn inputs: converted to what the network wants, or refused in words."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from midge.data import draw_inputs, load_data, load_golden
from midge.errors import DataError
from midge.importers import import_model
from midge.ir.graph import Graph, Op
from midge.ir.tensor import DType, Quant, Tensor

QUANT = Quant.per_tensor(0.5, 10)


class Nothing(Op):
    """An operator for graphs that nobody runs."""


def network(dtype: DType, shape: tuple[int, ...] = (1, 2, 3), quant: Quant | None = None, classes: int = 4) -> Graph:
    x, y = Tensor("x", shape, dtype, quant), Tensor("y", (1, classes), DType.F32)
    return Graph("net", ("x",), ("y",), {"x": x, "y": y}, (Nothing(name="op", inputs=("x",), outputs=("y",)),))


FLOAT = network(DType.F32)
INT8 = network(DType.S8, quant=QUANT)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def write(**arrays: Any) -> Path:
        path = tmp_path / "data.npz"
        np.savez(path, **arrays)
        return path

    return write


Save = Callable[..., Path]
REAL = np.linspace(-3, 3, 12).reshape(2, 2, 3).astype(np.float32)
INTEGERS = np.arange(-6, 6, dtype=np.int8).reshape(2, 2, 3)


def test_float_samples_reach_a_float_network_unchanged(save: Save) -> None:
    data = load_data(save(x=REAL), FLOAT)
    np.testing.assert_array_equal(data.inputs_for(FLOAT.input_tensors[0]), REAL.reshape(2, 1, 2, 3))
    assert data.notes == ()


def test_integers_with_a_scale_become_real_values_for_a_float_network(save: Save) -> None:
    data = load_data(save(x=INTEGERS, scale=np.float32(0.1), zero_point=-3), FLOAT)
    expected = (np.float32(0.1) * (INTEGERS.astype(np.float32) + 3)).reshape(2, 1, 2, 3)
    np.testing.assert_array_equal(data.inputs_for(FLOAT.input_tensors[0]), expected)
    assert "(x - -3) * 0.1" in data.notes[0]


def test_integers_without_a_scale_are_plain_numbers(save: Save) -> None:
    data = load_data(save(x=INTEGERS), FLOAT)
    np.testing.assert_array_equal(data.inputs_for(FLOAT.input_tensors[0]).ravel(), np.arange(-6.0, 6.0))
    assert "plain numbers" in data.notes[0]


def test_real_values_are_quantized_with_halves_away_from_zero_and_saturated(save: Save) -> None:
    x = np.array([[0.0, 0.25, -0.25, 0.24, 1000.0, -1000.0]], np.float32)
    data = load_data(save(x=x), INT8)
    assert data.inputs_for(INT8.input_tensors[0]).ravel().tolist() == [10, 11, 9, 10, 127, -128]
    assert any("reshaped to [1, 2, 3]" in note for note in data.notes)
    assert any("scale 0.5, zero point 10" in note for note in data.notes)


def test_integers_of_the_networks_own_scale_pass_through_bit_for_bit(save: Save) -> None:
    data = load_data(save(x=INTEGERS, scale=np.float32(0.5), zero_point=10), INT8)
    np.testing.assert_array_equal(data.inputs_for(INT8.input_tensors[0]).ravel(), INTEGERS.ravel())
    assert data.notes == ()


def test_integers_of_another_scale_are_requantized(save: Save) -> None:
    data = load_data(save(x=INTEGERS, scale=np.float32(1.0), zero_point=0), INT8)
    np.testing.assert_array_equal(data.inputs_for(INT8.input_tensors[0]).ravel(), INTEGERS.ravel().astype(int) * 2 + 10)


def test_the_same_data_feeds_the_float_network_and_the_integer_one_made_of_it(save: Save) -> None:
    data = load_data(save(x=REAL), FLOAT)
    q = data.inputs_for(INT8.input_tensors[0]).astype(np.float64)
    assert np.abs((q - QUANT.zero_point) * QUANT.scale - REAL.reshape(q.shape)).max() <= QUANT.scale / 2


def test_a_split_sets_samples_apart_and_none_means_all_evaluate(save: Save) -> None:
    x = np.zeros((5, 2, 3), np.float32)
    data = load_data(save(x=x, split=np.array([1, 0, 2, 0, 1], np.uint8), y=np.array([0, 1, 2, 3, 0])), FLOAT)
    assert (data.evaluate.tolist(), data.calibrate.tolist(), data.tune.tolist()) == ([1, 3], [0, 4], [2])
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1, 2, 3, 0]
    data = load_data(save(x=x), FLOAT)
    assert (len(data.evaluate), len(data.calibrate), len(data.tune)) == (5, 0, 0)
    assert data.labels is None


def test_neighbors_with_one_sequence_number_are_a_stream(save: Save) -> None:
    x = np.zeros((6, 2, 3), np.float32)
    data = load_data(save(x=x, sequence=[4, 4, 4, 7, 7, 4]), FLOAT)
    assert data.starts(data.evaluate) == [True, False, False, True, False, True]
    assert data.starts(np.array([1, 2, 4])) == [True, False, True]
    assert load_data(save(x=x), FLOAT).starts(np.arange(3)) == [True, False, False]


@pytest.mark.parametrize("sequence", [[1, 2], np.zeros(3), [[0], [0], [0]]])
def test_a_sequence_that_cannot_be_is_a_clear_error(save: Save, sequence: Any) -> None:
    with pytest.raises(DataError, match="sequence must be 3 integers"):
        load_data(save(x=np.zeros((3, 2, 3), np.float32), sequence=sequence), FLOAT)


def test_chosen_samples_alone_can_be_had(save: Save) -> None:
    data = load_data(save(x=REAL), FLOAT)
    np.testing.assert_array_equal(data.inputs_for(FLOAT.input_tensors[0], np.array([1])), REAL[1:, None])


def test_targets_that_are_no_classes_give_a_note_instead_of_accuracy(save: Save) -> None:
    data = load_data(save(x=REAL, y=np.zeros((2, 7))), FLOAT)
    assert data.labels is None
    assert "no accuracy" in data.notes[0]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"z": REAL}, "no array x"),
        ({"x": np.float32(3)}, "no samples"),
        ({"x": np.zeros((0, 2, 3))}, "no samples"),
        ({"x": np.zeros((2, 7), np.float32)}, "7 values; the input x is \\[1, 2, 3\\], 6 values"),
        ({"x": np.array(["a", "b"])}, "not numbers"),
        ({"x": np.full((2, 2, 3), np.nan)}, "not finite"),
        ({"x": np.array([object()] * 6)}, "Python objects"),
        ({"x": INTEGERS, "scale": np.zeros(2)}, "one number each"),
        ({"x": INTEGERS, "scale": 0.0}, "scale is 0.0"),
        ({"x": INTEGERS, "scale": float("nan")}, "scale is nan"),
        ({"x": INTEGERS, "scale": 0.1, "zero_point": 0.5}, "one number each"),
        ({"x": REAL, "split": np.array([0, 3])}, "each 0, 1 or 2"),
        ({"x": REAL, "split": np.array([0])}, "split must be 2 numbers"),
        ({"x": REAL, "y": np.array([0])}, "for 2 samples"),
        ({"x": REAL, "y": np.array([0, 4])}, "tells 4 classes apart"),
        ({"x": REAL, "y": np.array([-1, 0])}, "labels -1..0"),
    ],
)
def test_data_that_cannot_be_used_is_a_clear_error(save: Save, arrays: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        load_data(save(**arrays), FLOAT)
    assert caught.value.hint


def test_an_integer_input_without_a_scale_takes_its_own_type_alone(save: Save) -> None:
    graph = network(DType.S32)
    assert load_data(save(x=INTEGERS), graph).inputs_for(graph.input_tensors[0]).dtype == np.int32
    with pytest.raises(DataError, match="without a scale"):
        load_data(save(x=REAL), graph)


def test_a_network_of_two_inputs_takes_no_data_file(save: Save) -> None:
    graph = Graph("two", ("x", "y"), ("y",), FLOAT.tensors, ())
    with pytest.raises(DataError, match="2 inputs"):
        load_data(save(x=REAL), graph)


def npz_with(header: bytes, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writer:
        writer.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a zip",
        npz_with(b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }", b"1234"),
        npz_with(b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", b"1234"),
        npz_with(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"cos\nsystem\n"),
        npz_with(b"{'descr': '<f4', 'shape': (1,), }", b"1234"),
        npz_with(b"(" * 5000, b""),
        npz_with(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", b"12"),
    ],
)
def test_a_broken_or_hostile_archive_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_data(path, FLOAT)
    assert caught.value.hint


def test_every_truncation_of_a_data_file_is_a_clear_error(save: Save) -> None:
    path = save(x=REAL, y=np.array([0, 1]))
    content = path.read_bytes()
    for length in range(0, len(content) - 1, 7):
        path.write_bytes(content[:length])
        with pytest.raises(DataError):
            load_data(path, FLOAT)


def test_golden_calls_come_back_in_order_with_their_outputs(save: Save) -> None:
    given, gave = np.random.default_rng(0).normal(size=(3, 1, 2, 3)).astype("f4"), np.zeros((3, 1, 4), "f4")
    cases = load_golden(save(rand_in0=given, rand_out0=gave, real_in0=given, real_out0=gave, rand_outopt_0=gave), FLOAT)
    assert len(cases) == 6
    np.testing.assert_array_equal(cases[1][0][0], given[1])
    np.testing.assert_array_equal(cases[5][1][0], gave[2])


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": REAL}, "no golden calls"),
        ({"rand_in0": np.zeros((3, 1, 2, 3), "f4")}, "rand_out0"),
        ({"rand_in0": np.zeros((3, 1, 2, 3), "f4"), "rand_out0": np.zeros((2, 1, 4), "f4")}, "different numbers"),
        ({"rand_in0": np.zeros((3, 1, 2, 3), "i1"), "rand_out0": np.zeros((3, 1, 4), "f4")}, "int8"),
        ({"rand_in0": np.zeros((3, 1, 3, 2), "f4"), "rand_out0": np.zeros((3, 1, 4), "f4")}, "\\[1, 3, 2\\]"),
    ],
)
def test_goldens_of_another_model_are_a_clear_error(save: Save, arrays: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        load_golden(save(**arrays), FLOAT)


def test_drawn_inputs_are_the_same_for_the_same_seed_and_use_the_whole_range() -> None:
    graph = network(DType.S8, (1, 1000), QUANT)
    first, again, other = (draw_inputs(graph, 5, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (np.min(first), np.max(first)) == (-128, 127)
    assert draw_inputs(FLOAT, 1, 0)[0][0].dtype == np.float32


@pytest.mark.parametrize(
    ("data", "model", "sizes"),
    [
        ("kws_mfcc", "mlperf_tiny/kws_dscnn_int8", (499, 100, 0)),
        ("kws_mfcc", "mlperf_tiny_derived/kws_float32_true", (499, 100, 0)),
        ("mnist", "tinymaix/mnist_valid_q", (1000, 2500, 500)),
        ("sww", "mlperf_tiny/sww_ref_int8", (30, 15, 0)),
        ("micro_speech_features", "tflm/micro_speech_int8", (599, 0, 0)),
    ],
)
def test_real_data_feeds_its_network(
    asset: Callable[[str], Path], data: str, model: str, sizes: tuple[int, int, int]
) -> None:
    graph = import_model(asset(f"models/{model}.tflite")).graph
    found = load_data(asset(f"data/{data}.npz"), graph)
    assert (len(found.evaluate), len(found.calibrate), len(found.tune)) == sizes
    tensor = graph.input_tensors[0]
    inputs = found.inputs_for(tensor)
    assert (inputs.shape, inputs.dtype) == ((len(found), *tensor.shape), tensor.dtype.numpy)


def test_the_networks_own_integers_pass_through_real_data(asset: Callable[[str], Path]) -> None:
    graph = import_model(asset("models/mlperf_tiny/kws_dscnn_int8.tflite")).graph
    path = asset("data/kws_mfcc.npz")
    stored = np.load(path)["x"]
    np.testing.assert_array_equal(load_data(path, graph).inputs_for(graph.input_tensors[0])[:, 0], stored)
