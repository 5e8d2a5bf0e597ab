"""Networks whose activations are signs: found in the graph, computed by exclusive or and a count, exact."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from differential.draw_tensors import Case, Rng
from differential.programs import differences, every_feature, run_on_host, write_case, write_main
from midge.ir.graph import NO_CLAMP, Graph, Op, Padding
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.ir.verify import verify
from midge.kernels.select import select
from midge.lower.bind import bind
from midge.memory.lifetimes import lifetimes
from midge.memory.planner import plan_memory
from midge.ops.conv2d import Conv2D
from midge.ops.greater_equal import GreaterEqual
from midge.ops.lookup import Lookup
from midge.ops.max_pool2d import MaxPool2D
from midge.ops.select_v2 import SelectV2
from midge.passes import find_levels

_ACTIVATIONS = Quant.per_tensor(0.05, 3)


def _activation(name: str, shape: tuple[int, ...]) -> Tensor:
    return Tensor(name, shape, DType.S8, _ACTIVATIONS)


def _constant(name: str, data: Array) -> Tensor:
    return Tensor(name, data.shape, DType.S8, _ACTIVATIONS, data.astype(np.int8))


def _by_table(low: int, high: int) -> tuple[list[Op], list[Tensor]]:
    table = np.where(np.arange(-128, 128) >= 3, high, low).astype(np.int8)
    return [Lookup(name="sign", inputs=("x", "t"), outputs=("s",))], [Tensor("t", (256,), DType.S8, data=table)]


def _by_choice(low: int, high: int) -> tuple[list[Op], list[Tensor]]:
    ops: list[Op] = [
        GreaterEqual(name="above", inputs=("x", "zero"), outputs=("c",)),
        SelectV2(name="sign", inputs=("c", "one", "other"), outputs=("s",)),
    ]
    values = {"zero": 3, "one": high, "other": low}
    constants = [_constant(name, np.array([value])) for name, value in values.items()]
    return ops, [*constants, Tensor("c", (1, 7, 6, 40), DType.BOOL)]


def _network(rng: Rng, levels: tuple[int, int], padding: Padding, by_choice: bool, pooled: bool) -> Case:
    """Signs of an input, perhaps the largest of four, and a 3x3 convolution with weights of +-gain."""
    ops, tensors = (_by_choice if by_choice else _by_table)(*levels)
    tensors += [_activation("x", (1, 7, 6, 40)), _activation("s", (1, 7, 6, 40))]
    if pooled:
        pool = MaxPool2D(
            name="pool",
            inputs=("s",),
            outputs=("p",),
            kernel=(2, 2),
            stride=(1, 1),
            padding=((0, 1), (0, 1)),
            clamp=NO_CLAMP,
        )
        ops, tensors = [*ops, pool], [*tensors, _activation("p", (1, 7, 6, 40))]
    weights = rng.choice([-1, 1], (5, 3, 3, 40)) * rng.integers(1, 4, (5, 1, 1, 1))
    scales = tuple(float(np.float32(s)) for s in rng.uniform(0.01, 0.02, 5))
    (top, bottom), (left, right) = padding
    shape = (1, 7 + top + bottom - 2, 6 + left + right - 2, 5)
    tensors += [
        Tensor("w", weights.shape, DType.S8, Quant(scales, (0,) * 5, 0), weights.astype(np.int8)),
        Tensor("b", (5,), DType.S32, data=rng.integers(-300, 300, 5).astype(np.int32)),
        Tensor("y", shape, DType.S8, Quant.per_tensor(0.02, -7)),
    ]
    conv = Conv2D(
        name="conv",
        inputs=("p" if pooled else "s", "w", "b"),
        outputs=("y",),
        stride=(1, 1),
        dilation=(1, 1),
        padding=padding,
        clamp=NO_CLAMP,
    )
    graph = verify(Graph("signs", ("x",), ("y",), {t.name: t for t in tensors}, (*ops, conv)))
    return Case(find_levels(graph), (rng.integers(-128, 128, (1, 7, 6, 40)).astype(np.int8),))


_WHOLE: Padding = ((0, 0), (0, 0))
_CUT: Padding = ((1, 1), (2, 1))
_NETWORKS = [
    ((-17, 23), _WHOLE, False, False),
    ((-17, 23), _CUT, True, False),
    ((-17, 23), _CUT, False, True),
    ((-128, 90), _WHOLE, True, True),
]


def _kernel(case: Case) -> str:
    chosen = select(case.graph, every_feature()).variants[-1]
    assert chosen is not None
    return chosen.name


def test_convolutions_of_signs_equal_the_interpreter(tmp_path: Path) -> None:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc: apt-get install gcc")
    rendered = []
    for i, network in enumerate(_NETWORKS):
        case = _network(np.random.default_rng(i), *network)
        case = replace(case, graph=replace(case.graph, name=f"signs_{i}"))
        assert _kernel(case) == "signs"
        selection = select(case.graph, every_feature())
        alive = lifetimes(selection)
        program = bind(selection, alive, plan_memory(alive.buffers, alive.overlaps, alive.states))
        rendered.append(write_case(case, program, tmp_path))
    write_main(rendered, tmp_path)
    assert differences(rendered, run_on_host(rendered, tmp_path)) == {}


def test_cut_windows_of_values_that_are_not_opposite_are_no_signs() -> None:
    assert _kernel(_network(np.random.default_rng(0), (-128, 90), _CUT, by_choice=False, pooled=False)) != "signs"


def test_a_table_of_three_values_gives_no_signs() -> None:
    case = _network(np.random.default_rng(0), (-17, 23), _WHOLE, by_choice=False, pooled=False)
    table = case.graph.tensors["t"]
    assert table.data is not None
    data = np.where(np.arange(256) == 5, 0, table.data).astype(np.int8)
    plain = {name: replace(t, levels=None) for name, t in case.graph.tensors.items()}
    graph = find_levels(replace(case.graph, tensors={**plain, "t": replace(table, data=data)}))
    assert graph.tensors["s"].levels is None
