"""Rendered sources are complete, reproducible, and share equal functions."""

from __future__ import annotations

import re

import pytest

from differential.draw import draw_cases, drawn_kinds
from differential.programs import program_of
from midge.boards import load_core
from midge.ir.graph import Graph
from midge.ir.tensor import DType, Tensor
from midge.kernels.select import select, variants
from midge.lower.bind import bind
from midge.memory.lifetimes import lifetimes
from midge.memory.planner import plan_memory
from midge.ops.relu import Relu
from midge.render.sources import Sources, render


def _sources(kind: str) -> Sources:
    return render(program_of(draw_cases(kind, 1)[0], variants(kind)[-1]))


@pytest.mark.parametrize("kind", sorted(drawn_kinds()))
def test_every_header_that_is_included_is_there(kind: str) -> None:
    sources = _sources(kind)
    included = {name for text in sources.values() for name in re.findall(r'#include "([^"]+)"', text)}
    assert included <= set(sources)


@pytest.mark.parametrize("kind", sorted(drawn_kinds()))
def test_the_same_program_gives_the_same_bytes(kind: str) -> None:
    assert _sources(kind) == _sources(kind)


def test_only_headers_that_are_needed_are_shipped() -> None:
    assert "midge_nn_softmax.h" in _sources("softmax")
    model = {"model.h", "model.c", "weights.h", "weights.c"}
    assert set(_sources("lookup")) == model | {"midge_nn.h", "midge_flash.h"}


def test_equal_layers_share_one_function() -> None:
    tensors = {name: Tensor(name, (4,), DType.F32) for name in "abc"}
    ops = [Relu(name=f"layer{x}", inputs=(x,), outputs=(y,), clamp=(0.0, 6.0)) for x, y in ("ab", "bc")]
    graph = Graph("twice", ("a",), ("c",), tensors, tuple(ops))
    selection = select(graph, load_core("cortex-m4f"))
    alive = lifetimes(selection)
    text = render(bind(selection, alive, plan_memory(alive.buffers, alive.overlaps, alive.states)))["model.c"]
    assert text.count("MIDGE_KERNEL") == 1
    assert text.count("midge_twice_relu_portable_0(") == 3
    assert "Layers layera, layerb" in text
