"""Blocks: what goes leaves its input in its place, and the one goes that matters least."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midge.compress.apply import compress
from midge.compress.steps import Criterion, Prune
from midge.data import load_data
from midge.errors import SettingsError
from midge.exporters import export_tflite
from midge.importers import import_model
from midge.interpreter import interpret
from midge.ir.graph import NO_CLAMP, Clamp, Graph, Op
from midge.ops.add import Add
from midge.ops.quantize import Quantize
from midge.passes import CANONICALIZE, run_passes
from midge.settings import Settings
from small_graphs import floats, graph, pointwise

FEW = replace(Settings(), calibration_samples=8)


def residual(sizes: tuple[float, float], clamp: Clamp = NO_CLAMP) -> Graph:
    """x + a(x), then + b(.): two blocks whose weights are so large, then a layer."""
    random = np.random.default_rng(0)
    names = ("s", "t")
    tensors = [floats("x", (1, 2, 2, 4)), floats("y", (1, 2, 2, 2))]
    ops: list[Op] = []
    source = "x"
    for name, size in zip(names, sizes, strict=True):
        tensors += [floats(f"w{name}", (4, 1, 1, 4), size * random.normal(size=(4, 1, 1, 4)))]
        tensors += [floats(f"c{name}", (1, 2, 2, 4)), floats(name, (1, 2, 2, 4))]
        # Another layer in front, so that the branch's own output cannot be skipped to its input alone.
        ops.append(pointwise(f"conv_{name}", (source, f"w{name}"), f"c{name}", (0.0, np.inf)))
        ops.append(Add(name=f"add_{name}", inputs=(source, f"c{name}"), outputs=(name,), clamp=clamp))
        source = name
    tensors.append(floats("wy", (2, 1, 1, 4), random.normal(size=(2, 1, 1, 4))))
    ops.append(pointwise("last", (source, "wy"), "y"))
    return graph(["x"], ["y"], tensors, ops)


@pytest.mark.parametrize(("sizes", "left"), [((1.0, 0.1), "conv_s"), ((0.1, 1.0), "conv_t")])
@pytest.mark.parametrize("criterion", ["magnitude", "activation"])
def test_the_block_that_matters_least_goes(
    sizes: tuple[float, float], left: str, criterion: Criterion, tmp_path: Path
) -> None:
    before = residual(sizes)
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(1).normal(size=(8, 2, 2, 4)), split=np.ones(8, int))
    step = Prune(sparsity=0.3, granularity="blocks", criterion=criterion)
    made = compress(before, [step], load_data(tmp_path / "d.npz", before), FEW)
    assert {op.name for op in made.ops if op.weight_axis} == {left, "last"}


def test_a_block_that_adds_nothing_leaves_the_network_as_it_was() -> None:
    before = residual((1.0, 0.0), clamp=(0.0, np.inf))
    made = compress(before, [Prune(sparsity=0.3, granularity="blocks")], None, FEW)
    assert made.macs == before.macs - 64
    x = np.random.default_rng(1).normal(size=(1, 2, 2, 4)).astype(np.float32)
    np.testing.assert_array_equal(interpret(before, [x])[0], interpret(made, [x])[0])


def test_an_integer_network_keeps_its_scales_around_what_went(asset: Callable[[str], Path]) -> None:
    before = run_passes(import_model(asset("models/mlperf_tiny/ic_resnet8_int8.tflite")).graph, CANONICALIZE)
    made = compress(before, [Prune(sparsity=0.15, granularity="blocks")], None, FEW)
    assert made.macs <= 0.85 * before.macs
    skipped = [op for op in made.ops if op.name.endswith("/skipped")]
    assert any(isinstance(op, Quantize) for op in skipped)
    for op in skipped:
        assert made.tensors[op.outputs[0]].quant == before.tensors[op.outputs[0]].quant
    again = run_passes(import_bytes(made), CANONICALIZE)
    x = np.random.default_rng(0).integers(-128, 128, before.input_tensors[0].shape).astype(np.int8)
    np.testing.assert_array_equal(interpret(made, [x])[0], interpret(again, [x])[0])


def import_bytes(made: Graph) -> Graph:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.tflite"
        path.write_bytes(export_tflite(made))
        return import_model(path).graph


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (Prune(sparsity=0.95, granularity="blocks"), "cannot be reached"),
        (Prune(sparsity=0.3, granularity="blocks", layers=("last",)), "cannot be reached"),
        (Prune(sparsity=0.3, granularity="blocks", reconstruct=True), "nothing"),
    ],
)
def test_what_blocks_cannot_is_said(step: Prune, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        compress(residual((1.0, 1.0)), [step], None, FEW)
