"""Constant and unread channels: bounds hold, outputs keep their bytes, and real models lose what is known of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from drawn_networks import STEPS, networks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from midge.data import load_golden
from midge.importers import import_model
from midge.interpreter import interpret, interpret_all
from midge.intervals import tensor_ranges
from midge.ir.channels import Range
from midge.ir.graph import Graph
from midge.ir.tensor import Array, DType
from midge.ir.verify import verify
from midge.passes import CANONICALIZE, OPTIMIZE, drop_constant_channels, run_passes
from midge.passes.constant_channels import find_removals
from midge.passes.live_channels import live_channels
from thoroughness import draws

pytestmark = pytest.mark.thorough

SLOW = settings(
    max_examples=draws(30, 600),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def extreme_inputs(graph: Graph, seed: int) -> list[list[Array]]:
    """Random values, only the smallest, only the largest, and a mixture of the two."""
    random = np.random.default_rng(seed)
    draws: list[Callable[[tuple[int, ...]], Array]] = [
        lambda shape: random.integers(-128, 128, shape),
        lambda shape: np.full(shape, -128),
        lambda shape: np.full(shape, 127),
        lambda shape: random.choice([-128, 127], shape),
        lambda shape: np.clip(random.normal(0, 20, shape), -128, 127),
    ]
    return [[draw(t.shape).astype(np.int8) for t in graph.input_tensors] for draw in draws]


def assert_within(values: Mapping[str, Array], ranges: Mapping[str, Range]) -> None:
    for name, value in values.items():
        low, high = ranges[name]
        rows = value.reshape(-1, value.shape[-1] if value.shape else 1).astype(np.float64)
        assert (rows >= low).all(), name
        assert (rows <= high).all(), name


@SLOW
@given(graph=networks(), seed=st.integers(0, 999))
def test_every_value_of_a_drawn_network_lies_within_its_bounds(graph: Graph, seed: int) -> None:
    ranges = tensor_ranges(graph)
    for inputs in extreme_inputs(graph, seed):
        assert_within(interpret_all(graph, inputs), ranges)


@SLOW
@given(graph=networks(), seed=st.integers(0, 999))
def test_a_drawn_network_without_its_constant_channels_gives_the_same_bytes(graph: Graph, seed: int) -> None:
    smaller = verify(drop_constant_channels(graph))
    for inputs in extreme_inputs(graph, seed):
        for old, new in zip(interpret(graph, inputs), interpret(smaller, inputs), strict=True):
            np.testing.assert_array_equal(old, new, strict=True)


@SLOW
@given(graph=networks(), seed=st.integers(0, 999))
def test_kept_channels_have_their_value_or_stay_within_their_bounds(graph: Graph, seed: int) -> None:
    live, smaller = live_channels(graph), drop_constant_channels(graph)
    for inputs in extreme_inputs(graph, seed):
        before, after = interpret_all(graph, inputs), interpret_all(smaller, inputs)
        for name, kept in live.kept.items():
            low, high = (end[kept] for end in live.ranges[name])
            assert ((after[name] >= low) & (after[name] <= high)).all(), name
            same = after[name] == before[name][..., kept]
            assert same[..., live.needed[name][kept]].all(), name


@SLOW
@given(graph=networks(STEPS))
def test_a_second_time_removes_nothing_more(graph: Graph) -> None:
    # STEPS has one filter per channel: of several only those of a single channel are free, once there is a single one.
    once = drop_constant_channels(graph)
    twice = drop_constant_channels(once)
    assert {n: t.shape for n, t in twice.tensors.items()} == {n: t.shape for n, t in once.tensors.items()}


@SLOW
@given(graph=networks(), seed=st.integers(0, 999))
def test_channels_may_be_kept_in_twos_instead(graph: Graph, seed: int) -> None:
    smaller = verify(drop_constant_channels(graph, keep=lambda live: max(2, live + live % 2)))
    for name, tensor in smaller.tensors.items():
        if not tensor.is_constant:
            assert tensor.shape[-1] % 2 == 0 or tensor.shape[-1] == graph.tensors[name].shape[-1]
    for inputs in extreme_inputs(graph, seed):
        for old, new in zip(interpret(graph, inputs), interpret(smaller, inputs), strict=True):
            np.testing.assert_array_equal(old, new, strict=True)


@SLOW
@given(graph=networks())
def test_the_record_adds_up_to_what_the_network_lost(graph: Graph) -> None:
    smaller, removals = drop_constant_channels(graph), find_removals(graph)
    assert sum(r.macs for r in removals) == graph.macs - smaller.macs
    lost = {r.layer: len(r.constant) + len(r.unread) for r in removals}
    for op in graph.ops:
        before, after = (g.tensors[op.outputs[0]].shape for g in (graph, smaller))
        assert (before[-1] if before else 1) - (after[-1] if after else 1) == lost.get(op.name, 0)


# What is published of the models: MACs of live channels at most so much of all, and parameters; none where it is 1.
PUBLISHED = {
    "mlperf_tiny/vww96_int8": (0.51, 0.16),
    "tflm/person_detect_int8": (0.99, 1.0),
    "mlperf_tiny/kws_dscnn_int8": (1.0, 1.0),
    "mlperf_tiny/ic_resnet8_int8": (1.0, 1.0),
    "mlperf_tiny/ad01_int8": (1.0, 1.0),
    "mlperf_tiny/sww_ref_int8": (1.0, 1.0),
}
CALLS = 6


def parameters(graph: Graph) -> int:
    return sum(t.elements for t in graph.tensors.values() if t.is_constant)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_real_model_loses_what_is_published_and_gives_the_recorded_bytes(
    name: str, asset: Callable[[str], Path]
) -> None:
    graph = run_passes(import_model(asset(f"models/{name}.tflite")).graph, CANONICALIZE)
    smaller, (most_macs, most_parameters) = verify(drop_constant_channels(graph)), PUBLISHED[name]
    assert smaller.macs <= most_macs * graph.macs
    assert parameters(smaller) <= most_parameters * parameters(graph)
    if most_macs == 1.0:
        assert (smaller.macs, parameters(smaller)) == (graph.macs, parameters(graph))
    cases = load_golden(asset(f"models/{name}.npz"), graph)
    for inputs, expected in (*cases[: CALLS // 2], *cases[-CALLS // 2 :]):
        for found, recorded in zip(interpret(smaller, inputs), expected, strict=True):
            np.testing.assert_array_equal(found, recorded, strict=True)


def test_vww_keeps_its_bytes_and_its_bounds_on_extreme_inputs(asset: Callable[[str], Path]) -> None:
    graph = run_passes(import_model(asset("models/mlperf_tiny/vww96_int8.tflite")).graph, (*CANONICALIZE, *OPTIMIZE))
    original = run_passes(import_model(asset("models/mlperf_tiny/vww96_int8.tflite")).graph, CANONICALIZE)
    ranges = tensor_ranges(original)
    for inputs in extreme_inputs(original, 5):
        values = interpret_all(original, inputs)
        assert_within(values, ranges)
        np.testing.assert_array_equal(interpret(graph, inputs)[0], values[original.outputs[0]])


def test_vww_is_done_in_well_under_two_seconds(asset: Callable[[str], Path]) -> None:
    graph = run_passes(import_model(asset("models/mlperf_tiny/vww96_int8.tflite")).graph, CANONICALIZE)
    start = time.process_time()
    drop_constant_channels(graph)
    assert time.process_time() - start < 1.0


def test_a_float_network_stays_as_it_is(asset: Callable[[str], Path]) -> None:
    graph = run_passes(import_model(asset("models/mlperf_tiny/vww96_fp32.tflite")).graph, CANONICALIZE)
    assert all(t.dtype is not DType.S8 for t in graph.tensors.values())
    assert find_removals(graph) == ()
