"""Int16 activations for single layers of an int8 network."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from pathlib import Path

import numpy as np
import pytest

from midge.boards import load_board
from midge.data import draw_inputs
from midge.errors import SettingsError
from midge.exporters import export_tflite
from midge.importers import Imported, import_model
from midge.interpreter import interpret
from midge.ir.graph import NO_CLAMP, Graph
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.numerics.fixed_point import quantize_array
from midge.ops.average_pool2d import AveragePool2D
from midge.ops.conv2d import Conv2D
from midge.ops.fully_connected import FullyConnected
from midge.ops.quantize import Quantize, is_by_floats
from midge.ops.softmax import Softmax
from midge.passes import CANONICALIZE, OPTIMIZE, run_passes
from midge.pipeline import compile_graph
from midge.quantize.model import quantize_with
from midge.quantize.quality import real_values
from midge.run.devices import emulated_device
from midge.run.reference import Reference
from midge.settings import Settings
from small_graphs import NO_PADDING, floats, graph

SAMPLES = [[v] for v in np.random.default_rng(5).standard_normal((30, 1, 4, 4, 3)).astype(np.float32)]


def network() -> Graph:
    """Two pointwise convolutions, a pool, a dense layer and a softmax; channel 0 of `b`, an outlier, is not needed."""
    draw = np.random.default_rng(6)
    window = {"stride": (1, 1), "dilation": (1, 1), "padding": NO_PADDING}
    outlier = np.ones((8, 1, 1, 1))
    outlier[0] = 200
    tensors = [
        floats("x", (1, 4, 4, 3)),
        floats("wa", (6, 1, 1, 3), draw.standard_normal((6, 1, 1, 3))),
        floats("ba", (6,), draw.standard_normal(6)),
        floats("a", (1, 4, 4, 6)),
        floats("wb", (8, 1, 1, 6), draw.standard_normal((8, 1, 1, 6)) * outlier),
        floats("bb", (8,), draw.standard_normal(8)),
        floats("b", (1, 4, 4, 8)),
        floats("p", (1, 1, 1, 8)),
        floats("wc", (4, 8), 0.3 * draw.standard_normal((4, 8)) * (outlier.reshape(8) == 1)),
        floats("bc", (4,), draw.standard_normal(4)),
        floats("c", (1, 4)),
        floats("y", (1, 4)),
    ]
    pool = AveragePool2D(
        name="pool", inputs=("b",), outputs=("p",), kernel=(4, 4), stride=(1, 1), padding=NO_PADDING, clamp=NO_CLAMP
    )
    ops = [
        Conv2D(name="a", inputs=("x", "wa", "ba"), outputs=("a",), clamp=(0.0, inf), **window),  # type: ignore[arg-type]
        Conv2D(name="b", inputs=("a", "wb", "bb"), outputs=("b",), clamp=NO_CLAMP, **window),  # type: ignore[arg-type]
        pool,
        FullyConnected(name="c", inputs=("p", "wc", "bc"), outputs=("c",), clamp=NO_CLAMP),
        Softmax(name="s", inputs=("c",), outputs=("y",), beta=1.0),
    ]
    return graph(["x"], ["y"], tensors, ops)


def mixed(*wide: str) -> Graph:
    return quantize_with(network(), Settings(activations=dict.fromkeys(wide, "int16")), SAMPLES)


def _types(made: Graph) -> dict[str, DType]:
    return {op.name: made.tensors[op.outputs[0]].dtype for op in made.ops if not isinstance(op, Quantize)}


def test_only_the_layers_asked_for_and_what_lies_between_them_are_int16() -> None:
    assert set(_types(mixed()).values()) == {DType.S8}
    one = _types(mixed("b"))
    assert {name for name, t in one.items() if t is DType.S16} == {"b"}
    # The pool lies between two of them, the softmax behind the last.
    two = _types(mixed("b", "c"))
    assert {name for name, t in two.items() if t is DType.S16} == {"b", "pool", "c", "s"}


@pytest.mark.parametrize("wide", [("a",), ("b",), ("c",), ("b", "c"), ("a", "b", "c")])
def test_inputs_and_outputs_stay_int8_and_types_meet_at_a_quantize(wide: tuple[str, ...]) -> None:
    made = mixed(*wide)
    assert [made.tensors[n].dtype for n in (*made.inputs, *made.outputs)] == [DType.S8, DType.S8]
    for op in made.ops:
        kinds = {t.dtype for t in (*made.inputs_of(op), *made.outputs_of(op)) if not t.is_constant}
        assert isinstance(op, Quantize) == (len(kinds) == 2)
    assert not any(isinstance(a, Quantize) and isinstance(b, Quantize) for a, b in pairwise(made.ops))


@pytest.mark.parametrize("wide", [("a",), ("b",), ("c",), ("b", "c"), ("a", "b", "c")])
def test_tensorflow_lite_gives_the_same_bytes(wide: tuple[str, ...]) -> None:
    made = mixed(*wide)
    optimized = run_passes(made, OPTIMIZE)
    with Reference(export_tflite(made)) as reference:
        for inputs in draw_inputs(made, 10, seed=3):
            expected = reference.run(inputs)[0]
            np.testing.assert_array_equal(interpret(made, inputs)[0], expected)
            np.testing.assert_array_equal(interpret(optimized, inputs)[0], expected)


def _error(made: Graph) -> float:
    x, y = made.input_tensors[0], made.output_tensors[0]
    found: list[Array] = [interpret(made, [quantize_array(s[0], x.q, x.dtype)])[0] for s in SAMPLES]
    exact = [interpret(network(), s)[0] for s in SAMPLES]
    return float(np.mean([np.mean((real_values(y, f) - e) ** 2) for f, e in zip(found, exact, strict=True)]))


def test_int16_where_the_outliers_are_takes_most_of_the_error_away() -> None:
    assert _error(mixed("b", "c")) < _error(mixed()) / 3


def test_a_layer_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(SettingsError, match=r"activations\.nowhere") as error:
        mixed("nowhere")
    assert "it has a, b, pool, c, s" in error.value.hint


def test_mixed_activations_belong_to_int8_networks(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="int8 network"):
        Settings(precision="int16x8", activations={"b": "int16"})


@pytest.mark.parametrize("wide", [("b",), ("b", "c"), ("a", "c")])
def test_the_file_reads_back_as_integers_all_through(wide: tuple[str, ...], tmp_path: Path) -> None:
    made = mixed(*wide)
    path = tmp_path / "mixed.tflite"
    path.write_bytes(export_tflite(made))
    back = run_passes(import_model(path).graph, (*CANONICALIZE, *OPTIMIZE))
    assert not any(t.dtype is DType.F32 for t in back.tensors.values())
    for inputs in draw_inputs(made, 5, seed=4):
        np.testing.assert_array_equal(interpret(back, inputs)[0], interpret(made, inputs)[0])


def test_a_requantization_that_floats_round_otherwise_stays_in_floats() -> None:
    x = Tensor("x", (1,), DType.S8, Quant.per_tensor(0.1, 3))
    exact, not_so = (Tensor("y", (1,), DType.S16, Quant.per_tensor(s, 0)) for s in (0.1 / 128, 0.1 / 1.5))
    assert is_by_floats(x, exact)
    assert not is_by_floats(x, not_so)


def test_the_device_gives_the_interpreters_bytes(tmp_path: Path) -> None:
    made = run_passes(mixed("b", "c"), OPTIMIZE)
    compiled = compile_graph(
        Imported(network(), tmp_path, "0" * 64, "tflite"), network(), made, Settings(), load_board("nucleo_l4r5zi")
    )
    with emulated_device(compiled, tmp_path) as device:
        for inputs in draw_inputs(made, 5, seed=8):
            np.testing.assert_array_equal(device.infer(inputs).outputs[0], interpret(made, inputs)[0])
