"""Networks that remember, step by step: the host's C and TensorFlow Lite against the interpreter, over many calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.TensorType import TensorType

from differential.draw import mismatches
from differential.draw_states import draw_lstm, draw_svdf
from differential.draw_tensors import Case, Rng, values
from midge.boards import load_board
from midge.cli import cli
from midge.errors import SettingsError, ToolchainError
from midge.importers import Imported
from midge.importers.tflite import import_tflite
from midge.ir.graph import Graph
from midge.ir.tensor import Array, DType
from midge.pipeline import Compiled, compile_graph
from midge.quantize import quantize_model
from midge.run.device import Interpreter
from midge.run.devices import emulated_device, native_device
from midge.run.reference import Reference
from midge.settings import Settings
from unit.importers.model_file import ModelSpec, OpSpec, TensorSpec, model_file

STEPS = 12
MANY = 1000


def compiled(graph: Graph, board: str = "nucleo_l4r5zi") -> Compiled:
    settings = Settings(board=board, precision="as-is")
    imported = Imported(graph, Path("net.tflite"), "0" * 64, "tflite")
    return compile_graph(imported, graph, graph, settings, load_board(board))


@pytest.mark.parametrize("dtype", [DType.S8, DType.F32])
@pytest.mark.parametrize("draw", [draw_svdf, draw_lstm])
def test_the_hosts_c_remembers_what_the_interpreter_does(
    draw: Callable[[Rng, DType], Case], dtype: DType, tmp_path: Path
) -> None:
    rng = np.random.default_rng(11)
    case = draw(rng, dtype)
    definition = Interpreter(case.graph)
    try:
        with native_device(compiled(case.graph), tmp_path, sanitize=True) as device:
            for step in range(STEPS):
                if step in (0, STEPS // 2):
                    device.reset()
                    definition.reset()
                x = [values(t, rng) for t in case.graph.input_tensors]
                expected = definition.infer(x).outputs[0]
                assert not mismatches(device.infer(x).outputs[0], expected), f"step {step} of {case.op}"
    except ToolchainError as problem:
        pytest.skip(f"needs a host compiler with sanitizers: {problem.hint}")


def svdf_file(rng: Rng, units: int = 3, rank: int = 2, depth: int = 5, memory: int = 4) -> bytes:
    """An int8 SVDF with drawn weights and scales, as a file."""
    filters = units * rank
    features = rng.integers(-127, 128, (filters, depth)).astype(np.int8)
    times = rng.integers(-3000, 3000, (filters, memory)).astype("<i2")
    bias = rng.integers(-900, 900, units).astype("<i4")
    scales = [float(np.exp(rng.uniform(-1, 1))) * s for s in (0.05, 0.02, 0.003, 0.01, 0.4)]
    zero = int(rng.integers(-128, 128)), int(rng.integers(-128, 128))
    tensors = (
        TensorSpec("x", (1, depth), TensorType.INT8, None, (scales[0],), (zero[0],)),
        TensorSpec("y", (1, units), TensorType.INT8, None, (scales[4],), (zero[1],)),
        TensorSpec("features", features.shape, TensorType.INT8, features.tobytes(), (scales[1],), (0,)),
        TensorSpec("times", times.shape, TensorType.INT16, times.tobytes(), (scales[2],), (0,)),
        TensorSpec("bias", (units,), TensorType.INT32, bias.tobytes(), (scales[2] * scales[3],), (0,)),
        TensorSpec("state", (1, filters * memory), TensorType.INT16, None, (scales[3],), (0,), variable=True),
    )
    # The runtime asks for RELU, and then lets the output's type alone limit it.
    options = (("Rank", rank), ("FusedActivationFunction", 1))
    op = OpSpec(BuiltinOperator.SVDF, (0, 2, 3, 4, 5), (1,), BuiltinOptions.SVDFOptions, options)
    return model_file(ModelSpec(tensors, (op,)))


def stream(graph: Graph, rng: Rng, steps: int) -> Iterator[list[Array]]:
    for _ in range(steps):
        yield [values(t, rng) for t in graph.input_tensors]


def test_svdf_equals_the_reference_kernel_step_by_step() -> None:
    rng = np.random.default_rng(5)
    for number in range(6):
        data = svdf_file(rng, units=1 + number % 3, rank=1 + number % 2, memory=1 + number)
        graph = import_tflite(data, "net")
        definition = Interpreter(graph)
        with Reference(data) as reference:
            for step, x in enumerate(stream(graph, rng, 8)):
                np.testing.assert_array_equal(
                    definition.infer(x).outputs[0], reference.run(x)[0], err_msg=f"file {number}, step {step}"
                )


def test_a_thousand_steps_on_the_emulated_core_equal_the_reference_at_each_step(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    data = svdf_file(rng)
    graph = import_tflite(data, "net")
    seen = set()
    with Reference(data) as reference, emulated_device(compiled(graph), tmp_path) as device:
        device.reset()
        for step, x in enumerate(stream(graph, rng, MANY)):
            found = device.infer(x).outputs[0]
            np.testing.assert_array_equal(found, reference.run(x)[0], err_msg=f"step {step}")
            seen.add(found.tobytes())
    assert len(seen) > MANY / 2


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def test_a_run_forgets_before_each_sample_or_where_a_stream_begins(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    model, data = tmp_path / "net.tflite", tmp_path / "data.npz"
    model.write_bytes(svdf_file(rng, units=3, rank=1, memory=6))
    graph = import_tflite(model.read_bytes(), "net")
    x = rng.integers(-128, 128, (30, *graph.input_tensors[0].shape[1:])).astype(np.int8)
    sequence = np.repeat([0, 1, 2], 10)
    labels, alone = (predictions(graph, x, starts) for starts in (sequence, np.arange(30)))
    assert (labels != alone).any()
    quant = graph.input_tensors[0].q
    np.savez(data, x=x, y=labels, sequence=sequence, scale=quant.scale, zero_point=quant.zero_point)
    arguments = ("run", str(model), "--board", "cortex-m4f", "--emulate", "--data", str(data), "--json")
    for flags, expected in (((), float((labels == alone).mean() * 100)), (("--sequence",), 100.0)):
        report = json.loads(run(*arguments, *flags).stdout)
        assert report["exact"]["mismatches"] == 0
        assert "TensorFlow Lite" in report["exact"]["against"]
        assert report["accuracy"]["device"] == pytest.approx(expected, abs=0.01)
        assert report["accuracy"]["integer"] == pytest.approx(expected, abs=0.01)
        assert report["ram"]["state_bytes"] == 36


def predictions(graph: Graph, x: Array, sequence: Array) -> Array:
    definition, found = Interpreter(graph), []
    for number, sample in enumerate(x):
        if number == 0 or sequence[number] != sequence[number - 1]:
            definition.reset()
        found.append(int(definition.infer([sample[None]]).outputs[0].argmax()))
    return np.array(found)


def test_goldens_are_one_stream_or_stand_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    model, golden = tmp_path / "net.tflite", tmp_path / "golden.npz"
    model.write_bytes(svdf_file(rng, units=2, rank=1, memory=5))
    graph = import_tflite(model.read_bytes(), "net")
    definition, inputs = Interpreter(graph), [x[0] for x in stream(graph, rng, 10)]
    outputs = [definition.infer([x]).outputs[0] for x in inputs]
    np.savez(golden, rand_in0=np.stack(inputs), rand_out0=np.stack(outputs))
    for place in ("interpreter", "native"):
        flags = ("verify", str(model), "--on", place, "--no-sanitize")
        assert run(*flags, "--golden", str(golden), "--sequence").exit_code == 0
        assert run(*flags, "--golden", str(golden)).exit_code != 0
        assert run(*flags).exit_code == 0
        assert run(*flags, "--sequence").exit_code == 0


def test_a_float_model_that_remembers_is_not_quantized(tmp_path: Path) -> None:
    case = draw_svdf(np.random.default_rng(1), DType.F32)
    with pytest.raises(SettingsError, match="remembers"):
        quantize_model(case.graph, Settings(precision="int8"))
