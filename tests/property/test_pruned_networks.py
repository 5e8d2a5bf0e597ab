"""Drawn networks, pruned: sound, smaller, still a .tflite, and equal to the ones that have zeros instead."""

from __future__ import annotations

import re
from typing import get_args

import numpy as np
import pytest
from drawn_networks import networks
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from midge.compress.apply import Material, compress
from midge.compress.patterns import ratio_sparsity
from midge.compress.prune import masks
from midge.compress.steps import Granularity, Prune
from midge.compress.weighted import find_weights, masked
from midge.data import draw_inputs
from midge.errors import SettingsError, UnsupportedModelError
from midge.exporters import export_tflite
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.settings import Settings

FEW = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
PATTERNS = [g for g in get_args(Granularity) if g not in ("filters", "blocks")]


def unwritable(graph: Graph) -> set[str]:
    """What a .tflite has no word for."""
    try:
        assert len(export_tflite(graph)) > 0
    except UnsupportedModelError as refused:
        return set(re.findall(r"(op\d+) ", refused.message))
    return set()


def check_filters(graph: Graph, sparsity: float) -> None:
    step = Prune(sparsity=sparsity, granularity="filters")
    try:
        made = compress(graph, [step], None, Settings())
    except SettingsError as refused:
        assert refused.hint
        return
    assert made.macs <= (1 - sparsity) * graph.macs
    assert unwritable(made) <= unwritable(graph)
    zeroed = masked(graph, masks(graph, step, Material(graph, None, Settings())))
    for inputs in draw_inputs(graph, 2, 0):
        for a, b in zip(interpret(zeroed, inputs), interpret(made, inputs), strict=True):
            np.testing.assert_array_equal(a, b, strict=True)


def check_pattern(graph: Graph, granularity: Granularity) -> None:
    sparsity = ratio_sparsity(granularity) or 0.3
    try:
        made = compress(graph, [Prune(sparsity=sparsity, granularity=granularity)], None, Settings())
    except SettingsError as refused:
        assert refused.hint
        return
    assert {n: t.shape for n, t in made.tensors.items()} == {n: t.shape for n, t in graph.tensors.items()}
    zeros = [sum(int((np.asarray(w.tensor.data) == 0).sum()) for w in find_weights(g)) for g in (graph, made)]
    assert zeros[1] >= zeros[0]
    interpret(made, draw_inputs(graph, 1, 0)[0])


@FEW
@given(graph=networks(), sparsity=st.sampled_from([0.1, 0.3, 0.5]))
def test_a_network_without_filters_is_the_network_with_zeros(graph: Graph, sparsity: float) -> None:
    assume(any(op.weight_axis for op in graph.ops))
    check_filters(graph, sparsity)


def check_blocks(graph: Graph, sparsity: float) -> None:
    try:
        made = compress(graph, [Prune(sparsity=sparsity, granularity="blocks")], None, Settings())
    except SettingsError as refused:
        assert refused.hint
        return
    assert made.macs <= (1 - sparsity) * graph.macs
    for inputs in draw_inputs(graph, 1, 0):
        assert [y.shape for y in interpret(made, inputs)] == [y.shape for y in interpret(graph, inputs)]


@FEW
@given(graph=networks())
def test_a_network_without_blocks_still_runs(graph: Graph) -> None:
    assume(any(op.weight_axis for op in graph.ops))
    check_blocks(graph, 0.1)


@FEW
@given(graph=networks(), granularity=st.sampled_from(PATTERNS))
def test_zeros_in_a_pattern_leave_all_else_as_it_was(graph: Graph, granularity: Granularity) -> None:
    assume(any(op.weight_axis for op in graph.ops))
    check_pattern(graph, granularity)


@pytest.mark.long
@MANY
@given(graph=networks(), sparsity=st.floats(0.05, 0.9), granularity=st.sampled_from(PATTERNS))
def test_many_networks_are_pruned(graph: Graph, sparsity: float, granularity: Granularity) -> None:
    assume(any(op.weight_axis for op in graph.ops))
    check_filters(graph, sparsity)
    check_blocks(graph, sparsity)
    check_pattern(graph, granularity)
