"""Dynamic quantization of a float network: TensorFlow Lite computes what was written alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from midge.cli.quantize import command
from midge.data import draw_inputs
from midge.errors import SettingsError
from midge.exporters import export_tflite
from midge.importers import import_model
from midge.interpreter import interpret
from midge.ir.graph import NO_CLAMP, Graph
from midge.ir.tensor import DType
from midge.ops.conv2d import Conv2D
from midge.ops.depthwise_conv2d import DepthwiseConv2D
from midge.ops.fully_connected import FullyConnected
from midge.ops.softmax import Softmax
from midge.pipeline import compile_model, run_model
from midge.quantize import quantize_model
from midge.run.reference import Reference
from midge.settings import Settings
from small_graphs import NO_PADDING, floats, graph


def _network() -> Graph:
    draw = np.random.default_rng(1)
    window = {"stride": (1, 1), "dilation": (1, 1), "padding": NO_PADDING, "clamp": (0.0, 6.0)}
    tensors = [
        floats("x", (1, 5, 5, 3)),
        floats("wc", (4, 2, 2, 3), draw.standard_normal((4, 2, 2, 3))),
        floats("bc", (4,), draw.standard_normal(4)),
        floats("c", (1, 4, 4, 4)),
        floats("wd", (1, 3, 3, 4), draw.standard_normal((1, 3, 3, 4))),
        floats("d", (1, 2, 2, 4)),
        floats("wf", (5, 16), draw.standard_normal((5, 16)) * 0.1),
        floats("f", (1, 5)),
        floats("y", (1, 5)),
    ]
    ops = [
        Conv2D(name="conv", inputs=("x", "wc", "bc"), outputs=("c",), **window),  # type: ignore[arg-type]
        DepthwiseConv2D(name="depthwise", inputs=("c", "wd"), outputs=("d",), **window),  # type: ignore[arg-type]
        FullyConnected(name="dense", inputs=("d", "wf"), outputs=("f",), clamp=NO_CLAMP),
        Softmax(name="softmax", inputs=("f",), outputs=("y",), beta=1.0),
    ]
    return graph(["x"], ["y"], tensors, ops)


def test_every_layer_gets_integer_weights_and_no_activation_does() -> None:
    made = quantize_model(_network(), Settings(precision="dynamic"))
    weights = [t for t in made.tensors.values() if t.dtype is DType.S8]
    assert len(weights) == 3
    assert all(t.is_constant for t in weights)
    # One scale for all where TensorFlow Lite reads one, else one for each channel.
    assert sorted(len(t.q.scales) for t in weights) == [1, 4, 4]


def test_tensorflow_lite_computes_the_same_from_the_file() -> None:
    made = quantize_model(_network(), Settings(precision="dynamic"))
    with Reference(export_tflite(made)) as reference:
        for inputs in draw_inputs(made, 8, seed=2):
            found, wanted = interpret(made, inputs)[0], reference.run(inputs)[0]
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("width", ["int4", "int2"])
def test_narrow_weights_stay_in_their_range(width: str) -> None:
    made = quantize_model(_network(), Settings(precision="dynamic", weights=width, layers={"conv": "int8"}))  # type: ignore[arg-type]
    most = {
        op.name: int(np.abs(np.asarray(made.tensors[op.inputs[1]].data)).max()) for op in made.ops if op.weight_axis
    }
    assert most["conv"] > 7
    assert max(most["depthwise"], most["dense"]) <= 7


def test_quantize_writes_a_dynamic_file_that_reads_back_alike(tmp_path: Path) -> None:
    model, data, out = tmp_path / "m.tflite", tmp_path / "d.npz", tmp_path / "o.tflite"
    model.write_bytes(export_tflite(_network()))
    x = np.random.default_rng(3).standard_normal((30, 5, 5, 3)).astype(np.float32)
    np.savez(data, x=x, split=np.arange(30) % 3)
    arguments = [str(model), "--data", str(data), "-o", str(out), "--precision", "dynamic", "--max-drop", "10"]
    CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)
    back = import_model(out).graph
    assert sum(t.dtype is DType.S8 for t in back.tensors.values()) == 3
    for inputs in draw_inputs(back, 3, seed=2):
        exact = interpret(_network(), inputs)[0]
        np.testing.assert_allclose(interpret(back, inputs)[0], exact, atol=0.05)


def test_steps_that_refine_integer_activations_are_refused() -> None:
    for refining in ({"rounding": "adaround"}, {"bias_correction": "outputs"}, {"equalize": True}):
        with pytest.raises(SettingsError):
            Settings(precision="dynamic", **refining)  # type: ignore[arg-type]


def test_the_device_is_compared_with_what_was_quantized_not_with_the_float_file(tmp_path: Path) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(export_tflite(_network()))
    compiled = compile_model(import_model(model), Settings(precision="dynamic"))
    report = run_model(compiled, None, tmp_path, samples=3)
    assert (report.exact.mismatches, report.exact.against) == (0, "midge's interpreter")
