"""Real models of both formats, through each technique that makes a network smaller: whole, and writable."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from midge.compress.apply import compress
from midge.compress.steps import AnyStep, Cluster, Factor, Scale, Share
from midge.compress.weighted import find_weights
from midge.data import draw_inputs
from midge.exporters import export_tflite
from midge.importers import import_model
from midge.interpreter import interpret
from midge.passes import CANONICALIZE, run_passes
from midge.settings import Settings

MODELS = (
    "models/mlperf_tiny/ic_resnet8_fp32.tflite",
    "models/mlperf_tiny/ic_resnet8_int8.tflite",
    "models/onnx/micro_kws_m_static_fp32.onnx",
    "models/onnx/mnist8_cnn.onnx",
)
STEPS = (Cluster(values=16), Factor(energy=0.8), Share(), Scale(width=0.5, depth=0.6))


# Factoring wants float weights.
CASES = [(m, s) for m in MODELS for s in STEPS if not (isinstance(s, Factor) and "int8" in m)]


@pytest.mark.parametrize(("model", "step"), CASES, ids=[f"{Path(m).stem}-{type(s).__name__.lower()}" for m, s in CASES])
def test_a_real_model_gets_smaller_and_stays_a_model(
    model: str, step: AnyStep, asset: Callable[[str], Path], tmp_path: Path
) -> None:
    graph = run_passes(import_model(asset(model)).graph, CANONICALIZE)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        made = compress(graph, [step], None, Settings())
    assert made is not graph or said
    assert made.macs <= graph.macs
    assert _values(made) <= _values(graph)
    path = tmp_path / "made.tflite"
    path.write_bytes(export_tflite(made))
    again = import_model(path).graph
    (sample,) = draw_inputs(made, 1, 0)
    exact = interpret(made, sample)[0]
    given = [s.reshape(t.shape) for s, t in zip(sample, again.input_tensors, strict=True)]
    found = interpret(again, given)[0]
    np.testing.assert_allclose(found.reshape(-1), exact.reshape(-1), rtol=1e-3, atol=1e-4 * np.abs(exact).max())


def _values(graph: object) -> int:
    """Distinct weights of all layers, each tensor once."""
    return sum(len(np.unique(np.asarray(w.tensor.data))) for w in find_weights(graph))
