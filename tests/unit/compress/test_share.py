"""Sharing: one tensor for layers of one shape, the nearest to all, and once in flash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compressible import CHANNELS, SAME, dataset, material
from midge.boards import load_core
from midge.compress.apply import CompressionNote
from midge.compress.share import apply
from midge.compress.steps import Share
from midge.errors import SettingsError
from midge.exporters import export_tflite
from midge.importers import import_model
from midge.interpreter import interpret, interpret_all
from midge.ir.graph import Graph
from midge.ir.verify import verify
from midge.kernels.select import select
from midge.lower.bind import bind
from midge.lower.program import Program
from midge.memory.lifetimes import lifetimes
from midge.memory.planner import plan_memory
from midge.ops.add import Add
from midge.ops.conv2d import Conv2D
from midge.quantize import quantize_model
from midge.settings import Settings
from small_graphs import floats, graph, pointwise


def twins(apart: float = 1.0) -> Graph:
    """Three convolutions of one shape with a residual add, whose weights are `apart`, and a fourth of another."""
    rng = np.random.default_rng(0)
    c = CHANNELS
    same = rng.normal(0, 0.2, (c, 3, 3, c))
    tensors = [floats(n, (1, 6, 6, c)) for n in ("x", "a", "b", "s", "d", "y")]
    tensors += [floats(f"w{i}", same.shape, same + rng.normal(0, 0.2, same.shape) * apart) for i in range(3)]
    tensors += [floats(f"b{i}", (c,), rng.normal(0, 0.1, c)) for i in range(3)]
    tensors += [floats("w3", (c, 1, 1, c), rng.normal(0, 0.2, (c, 1, 1, c)))]
    fields = {"stride": (1, 1), "dilation": (1, 1), "padding": SAME, "clamp": (0.0, np.inf)}
    ops = [
        Conv2D(name="first", inputs=("x", "w0", "b0"), outputs=("a",), **fields),
        Conv2D(name="second", inputs=("a", "w1", "b1"), outputs=("b",), **fields),
        Add(name="add", inputs=("a", "b"), outputs=("s",), clamp=(0.0, np.inf)),
        Conv2D(name="third", inputs=("s", "w2", "b2"), outputs=("d",), **fields),
        pointwise("last", ["d", "w3"], "y"),
    ]
    return graph(["x"], ["y"], tensors, ops)


def weights_name(of: Graph, layer: str) -> str:
    return next(op.inputs[1] for op in of.ops if op.name == layer)


def program(of: Graph) -> Program:
    selection = select(of, load_core("cortex-m0plus"))
    alive = lifetimes(selection)
    return bind(selection, alive, plan_memory(alive.buffers, alive.overlaps, alive.states))


def test_layers_of_one_shape_read_one_tensor_which_is_their_mean() -> None:
    of = twins()
    made = apply(of, Share(), material(of))
    names = {weights_name(made, n) for n in ("first", "second", "third")}
    assert len(names) == 1
    mean = np.mean([np.asarray(of.tensors[f"w{i}"].data, np.float64) for i in range(3)], axis=0)
    np.testing.assert_allclose(made.tensors[names.pop()].data, mean, atol=1e-6)
    assert weights_name(made, "last") == "w3"


def test_equal_layers_compute_what_they_did() -> None:
    of = twins(apart=0)
    made = apply(of, Share(), material(of))
    x = np.random.default_rng(1).normal(0, 1, (1, 6, 6, CHANNELS)).astype(np.float32)
    np.testing.assert_allclose(interpret(made, [x])[0], interpret(of, [x])[0], rtol=1e-5, atol=1e-5)


def test_data_makes_the_errors_of_the_outputs_smaller(tmp_path: Path) -> None:
    of = twins()
    data = dataset(tmp_path / "d.npz", of)
    blind, seeing = (apply(of, Share(layers=("first", "second")), material(of, d)) for d in (None, data))

    def error(made: Graph) -> float:
        """Of each layer alone, given what the original gives it."""
        total = 0.0
        for x in data.inputs_for(of.input_tensors[0], data.evaluate):
            values = interpret_all(of, [x])
            for op in made.ops[:2]:
                inputs = made.inputs_of(op)
                given = [values[t.name] if t.data is None else t.data for t in inputs]
                found = op.evaluate(inputs, made.outputs_of(op), given)[0]
                total += float(((found - values[op.outputs[0]]) ** 2).sum())
        return total

    assert error(seeing) < error(blind)


def test_flash_holds_what_is_shared_once(tmp_path: Path) -> None:
    of = twins()
    data = dataset(tmp_path / "d.npz", of)
    apart = program(quantize_model(of, Settings(), data))
    together = program(quantize_model(apply(of, Share(), material(of)), Settings(), data))
    assert apart.constant_bytes - together.constant_bytes >= 2 * 9 * CHANNELS**2
    assert sum(call.constant_bytes for call in together.calls) == together.constant_bytes
    sizes = [call.constant_bytes for call in together.calls if call.op == "conv2d"]
    assert sizes[0] > 9 * CHANNELS**2 > max(sizes[1], sizes[2])


@pytest.mark.parametrize("with_data", [False, True])
def test_int8_layers_share_integers_and_scales_and_stay_near(tmp_path: Path, with_data: bool) -> None:
    of = twins(apart=0.05)
    data = dataset(tmp_path / "d.npz", of)
    quantized = quantize_model(of, Settings(), data)
    made = verify(apply(quantized, Share(), material(quantized, data if with_data else None)))
    assert len({weights_name(made, n) for n in ("first", "second", "third")}) == 1
    x = data.inputs_for(quantized.input_tensors[0], data.evaluate)
    exact, found = (np.stack([interpret(g, [v])[0] for v in x]).astype(np.int64) for g in (quantized, made))
    assert np.abs(found - exact).mean() < 0.1 * np.abs(exact - exact.mean()).mean()
    assert program(made).constant_bytes < program(quantized).constant_bytes


def test_a_tflite_file_keeps_what_is_shared(tmp_path: Path) -> None:
    of = twins()
    (tmp_path / "m.tflite").write_bytes(export_tflite(apply(of, Share(), material(of))))
    again = import_model(tmp_path / "m.tflite").graph
    assert len({op.inputs[1] for op in again.ops if op.kind == "conv2d"}) == 2


def test_a_second_time_there_is_nothing_to_share() -> None:
    of = twins()
    made = apply(of, Share(), material(of))
    with pytest.warns(CompressionNote, match="nothing to share"):
        assert apply(made, Share(), material(made)) is made


def test_layers_that_are_not_alike_are_refused() -> None:
    of = twins()
    with pytest.raises(SettingsError, match=r"first \(12x3x3x12\), last \(12x1x1x12\)"):
        apply(of, Share(layers=("first", "last")), material(of))
    with pytest.raises(SettingsError, match="nowhere"):
        apply(of, Share(layers=("nowhere",)), material(of))
