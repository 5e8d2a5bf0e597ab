"""Kernels that leave zeros out are chosen where they win, within the flash that there is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from midge.boards import load_board
from midge.ir.graph import Graph
from midge.ir.tensor import DType, Quant, Tensor
from midge.ir.verify import verify
from midge.kernels.select import layer_of, select
from midge.kernels.timings import signature
from midge.ops.fully_connected import FullyConnected
from midge.settings import Goal


def _layers(sparsity: float, count: int = 1, depth: int = 64, units: int = 32) -> Graph:
    """`count` layers that read one input, with that share of zeros among their weights."""
    rng = np.random.default_rng(5)
    x = Tensor("x", (1, depth), DType.S8, Quant.per_tensor(0.02, -128))
    tensors, ops = [x], []
    for n in range(count):
        data = np.where(rng.random((units, depth)) < sparsity, 0, rng.integers(30, 128, (units, depth)))
        data *= rng.choice([-1, 1], data.shape)
        tensors.append(Tensor(f"w{n}", data.shape, DType.S8, Quant.per_tensor(0.005, 0), data.astype(np.int8)))
        tensors.append(Tensor(f"y{n}", (1, units), DType.S8, Quant.per_tensor(0.05, -128)))
        ops.append(
            FullyConnected(
                name=f"layer{n}", inputs=("x", f"w{n}"), outputs=(f"y{n}",), clamp=(float("-inf"), float("inf"))
            )
        )
    outputs = tuple(f"y{n}" for n in range(count))
    return verify(Graph("layers", ("x",), outputs, {t.name: t for t in tensors}, tuple(ops)))


def _chosen(graph: Graph, board: str, goal: Goal, flash_bytes: int | None = None) -> list[str]:
    found = select(graph, load_board(board).core, goal, flash_bytes=flash_bytes).variants
    return [v.name for v in found if v is not None]


@pytest.mark.parametrize(
    ("board", "code", "smaller", "smallest"),
    [
        ("cortex-m0plus", "armv6m_code", "scalar_nonzeros", "coded"),
        ("rv32imc", "riscv_code", "scalar_nonzeros", "coded"),
        ("uno", "avr_code", "avr_nonzeros", "avr_nonzeros"),
    ],
)
def test_sparse_layers_are_code_for_speed_a_list_beside_it_and_the_least_for_size(
    board: str, code: str, smaller: str, smallest: str
) -> None:
    sparse = _layers(0.75)
    assert _chosen(sparse, board, "speed") == [code]
    assert _chosen(sparse, board, "balanced") == [smaller]
    assert _chosen(sparse, board, "size") == [smallest]


@pytest.mark.parametrize("board", ["cortex-m0plus", "rv32imc", "uno"])
def test_full_layers_are_neither(board: str) -> None:
    for goal in ("speed", "balanced", "size"):
        (name,) = _chosen(_layers(0.0), board, goal)  # type: ignore[arg-type]
        assert "code" not in name
        assert "nonzeros" not in name


def test_what_does_not_fit_the_flash_gives_way_where_that_saves_most() -> None:
    many = _layers(0.75, count=5)
    assert set(_chosen(many, "uno", "speed", 253_952)) == {"avr_code"}
    names = _chosen(many, "uno", "speed", 32_256)
    assert "avr_code" in names
    assert set(names) > {"avr_code"}
    assert set(_chosen(many, "uno", "speed", 1)) == {"avr_nonzeros"}


def test_measured_cycles_are_those_of_as_many_zeros() -> None:
    full, few, fewer = (layer_of(_layers(sparsity), 0) for sparsity in (0.0, 0.75, 0.9))
    assert len({signature(layer) for layer in (full, few, fewer)}) == 3
    assert full.inputs[1].data is not None
    other = replace(full.inputs[1], data=full.inputs[1].data[::-1])
    assert signature(replace(full, inputs=(full.inputs[0], other))) == signature(full)
