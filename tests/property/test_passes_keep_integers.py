"""Every pass keeps integer outputs identical, and the names of inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from midge.data import draw_inputs
from midge.importers import import_model
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.passes import CANONICALIZE, OPTIMIZE, Pass, pass_name, run_passes
from small_graphs import int8_chains
from thoroughness import draws

pytestmark = pytest.mark.thorough

EACH = tuple(dict.fromkeys((*CANONICALIZE, *OPTIMIZE)))


def assert_same_function(before: Graph, after: Graph, samples: int, seed: int) -> None:
    assert (after.inputs, after.outputs) == (before.inputs, before.outputs)
    for old, new in zip(
        (*before.input_tensors, *before.output_tensors), (*after.input_tensors, *after.output_tensors), strict=True
    ):
        assert (old.shape, old.dtype, old.quant) == (new.shape, new.dtype, new.quant)
    for inputs in draw_inputs(before, samples, seed):
        for old, new in zip(interpret(before, inputs), interpret(after, inputs), strict=True):
            np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("function", EACH, ids=pass_name)
@settings(max_examples=draws(25, 400), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graph=int8_chains(), seed=st.integers(0, 99))
def test_a_pass_keeps_the_outputs_of_a_drawn_graph(function: Pass, graph: Graph, seed: int) -> None:
    assert_same_function(graph, run_passes(graph, [function]), 4, seed)


@settings(max_examples=draws(60, 1000), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graph=int8_chains(), seed=st.integers(0, 99))
def test_all_passes_together_keep_the_outputs_of_a_drawn_graph(graph: Graph, seed: int) -> None:
    assert_same_function(graph, run_passes(graph, (*CANONICALIZE, *OPTIMIZE)), 4, seed)


@pytest.mark.parametrize(
    "model",
    [
        "mlperf_tiny/ad01_int8",
        "mlperf_tiny/ad01_int8_floatio",
        "mlperf_tiny/kws_dscnn_int8",
        "mlperf_tiny/sww_ref_int8",
        "tflm/micro_speech_int8",
        "tinymaix/cifar10_q",
        "tinymaix/mnist_dw_q",
        "ops_synth/conv1d_dilated_int8",
        "ops_synth/conv_dw_pool_fc_softmax_int8",
        "ops_synth/two_in_two_out_int8",
    ],
)
def test_each_pass_keeps_the_outputs_of_a_real_model(model: str, asset: Callable[[str], Path]) -> None:
    graph = import_model(asset(f"models/{model}.tflite")).graph
    made: list[Graph] = []
    run_passes(graph, (*CANONICALIZE, *OPTIMIZE), after=lambda _, result: made.append(result))
    for result in made:
        assert_same_function(graph, result, 1, 7)
