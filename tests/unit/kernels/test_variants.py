"""Kernels and templates are twins, and every operator that runs code has one."""

from __future__ import annotations

import numpy as np
import pytest

from differential.draw import draw_cases, drawn_kinds
from midge.boards import list_cores, load_core
from midge.ir.graph import Graph
from midge.ir.tensor import Tensor
from midge.kernels.select import kinds, layer_of, variants
from midge.ops import operators
from midge.ops.reshape import Reshape
from midge.resources import templates_dir


def test_every_variant_has_a_template_and_every_template_a_variant() -> None:
    declared = {v.template for kind in kinds() for v in variants(kind)}
    folder = templates_dir()
    assert {str(path.relative_to(folder)) for path in folder.glob("kernels/*/*.j2")} == declared


def test_every_operator_that_runs_code_has_a_portable_variant_that_comes_last() -> None:
    run = {op.family or kind for kind, op in operators().items() if not op.is_view}
    assert set(kinds()) == run
    for kind in run:
        assert variants(kind)[-1].name == "portable"
        assert not variants(kind)[-1].needs


def test_kernels_need_what_cores_have_and_cores_state_what_kernels_need() -> None:
    cores = [load_core(name) for name in list_cores()]
    needed = {need for kind in kinds() for v in variants(kind) for need in v.needs}
    assert needed <= {ability for core in cores for ability in core.abilities}
    assert {feature for core in cores for feature in core.features} <= needed


def test_a_kernel_for_whole_words_runs_on_cores_that_have_them() -> None:
    computed = next(v for v in variants("softmax") if v.name == "computed")
    assert {load_core(name).word_bits for name in list_cores() if computed.runs_on(load_core(name))} == {32}
    assert not computed.runs_on(load_core("atmega328p"))


def test_every_operator_with_kernels_is_drawn() -> None:
    assert drawn_kinds() == set(kinds())


def test_a_view_has_no_kernel() -> None:
    assert Reshape.is_view
    assert variants("reshape") == ()


@pytest.mark.parametrize("kind", sorted(drawn_kinds()))
def test_the_portable_variant_fits_every_drawn_layer(kind: str) -> None:
    portable = variants(kind)[-1]
    assert all(portable.fits(layer_of(case.graph, 0)) for case in draw_cases(kind, 12, seed=1))


@pytest.mark.parametrize("kind", sorted(drawn_kinds()))
def test_drawn_cases_are_the_same_every_time(kind: str) -> None:
    for first, second in zip(draw_cases(kind, 4), draw_cases(kind, 4), strict=True):
        assert first.op == second.op
        assert _shapes(first.graph) == _shapes(second.graph)
        for a, b in zip(first.inputs, second.inputs, strict=True):
            assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def _shapes(graph: Graph) -> list[tuple[Tensor, ...]]:
    return [tuple((t.name, t.shape, t.quant) for t in graph.tensors.values())]  # type: ignore[misc]
