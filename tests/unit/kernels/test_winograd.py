"""Winograd's convolution as midge scales it: an identity of integers, whose factors stay within 16 bits, chosen where
it wins and there is flash for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from midge.boards import load_board
from midge.ir.graph import NO_CLAMP, Graph
from midge.ir.tensor import DType, Quant, Tensor
from midge.ir.verify import verify
from midge.kernels.flash_budget import flash_bytes_of
from midge.kernels.select import able_variants, layer_of, select, variants
from midge.kernels.winograd import TILE, padded_channels, transformed, turns
from midge.ops.conv2d import Conv2D
from midge.settings import Goal

# Of the literature, for the points 0, 1, -1, 2, -2 and infinity.
B = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
A = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
# What the rows of T lack of 24 times those of G.
MISSING = np.array([1, -4, -4, 1, 1, 4])
# The board of a core, Winograd's kernel there, and the one that it is compared with.
BOARDS = (
    ("nucleo_l4r5zi", "dsp_winograd", "dsp_window"),
    ("esp32-c3-devkitm-1", "riscv_winograd", "riscv_quads"),
    ("due", "armv7m_winograd", "scalar_pairs"),
    ("pico", "armv6m_winograd", "scalar_pairs"),
)


def test_products_of_the_transformed_are_576_times_the_convolution() -> None:
    rng = np.random.default_rng(7)
    d, g = rng.integers(0, 256, (6, 6, 5)), rng.integers(-128, 128, (3, 3, 3, 5)).astype(np.int8)
    inputs = np.einsum("pi,ijc,qj->pqc", B, d, B)
    sums = np.einsum("pqoc,pqc->pqo", transformed(g), inputs)
    found = np.einsum("yp,pqo,xq->yxo", A * MISSING, sums, A * MISSING)
    direct = [[np.einsum("ijc,oijc->o", d[y : y + 3, x : x + 3], g) for x in range(TILE)] for y in range(TILE)]
    assert (found == 576 * np.array(direct)).all()


def test_both_factors_of_a_product_are_int16_whatever_the_values() -> None:
    shares = transformed(np.eye(9).reshape(9, 3, 3, 1)).reshape(36, 3, 3, 1)
    assert np.abs(transformed(np.where(shares > 0, -128, 127))).max() == 6272
    both = np.einsum("pi,qj->pqij", B, B).reshape(36, 36) * 255
    assert np.where(both < 0, both, 0).sum(axis=1).min() >= -(1 << 15)
    assert np.where(both > 0, both, 0).sum(axis=1).max() < 1 << 15


def test_turns_cover_the_channels_by_whole_words() -> None:
    for channels in range(1, 130):
        unroll, words = turns(channels)
        assert words % unroll == words % 2 == 0
        assert padded_channels(channels) <= 2 * words <= 1.2 * padded_channels(channels)


@pytest.mark.parametrize(("board", "winograd", "other"), BOARDS)
def test_it_is_taken_for_speed_alone(board: str, winograd: str, other: str) -> None:
    assert _chosen(_layer(16, 16, 16, beside=4096), board, "speed")[0] == winograd
    goals: tuple[Goal, ...] = ("balanced", "size")
    for goal in goals:
        assert winograd not in _chosen(_layer(16, 16, 16, beside=4096), board, goal)


@pytest.mark.parametrize(("board", "winograd", "other"), BOARDS)
def test_it_adds_no_more_than_a_quarter_of_what_the_network_takes_unless_it_is_asked_for(
    board: str, winograd: str, other: str
) -> None:
    seen = set()
    for beside in (256, 1024, 2048, 4096):
        layer = _layer(16, 16, 16, beside)
        plain, large = _bytes(layer, board, other), _bytes(layer, board, winograd)
        chosen = _chosen(layer, board, "speed")[0]
        assert chosen == (winograd if large <= 1.25 * plain else other), (beside, plain, large)
        seen.add(chosen)
    assert seen == {winograd, other}
    asked = select(_layer(16, 16, 16), load_board(board).core, "speed", {"conv2d": winograd})
    assert [v.name for v in asked.variants if v] == [winograd]


@pytest.mark.parametrize(("board", "winograd", "other"), BOARDS)
def test_without_the_flash_it_gives_way(board: str, winograd: str, other: str) -> None:
    layer = _layer(16, 16, 16, beside=4096)
    # An eighth is left to code.
    enough = load_board(board).core.harness.flash_bytes + _bytes(layer, board, winograd) * 8 // 7 + 2
    assert _chosen(layer, board, "speed", enough)[0] == winograd
    assert _chosen(layer, board, "speed", enough // 2)[0] != winograd


@pytest.mark.parametrize(("board", "winograd", "other"), BOARDS)
def test_few_channels_and_small_images_are_left_to_windows(board: str, winograd: str, other: str) -> None:
    assert _chosen(_layer(16, 1, 16, beside=8192), board, "speed")[0] != winograd
    assert _chosen(_layer(2, 32, 32, beside=8192), board, "speed")[0] == other


@pytest.mark.parametrize(("board", "winograd", "other"), BOARDS)
def test_other_windows_strides_dilations_and_large_scratch_are_left_to_others(
    board: str, winograd: str, other: str
) -> None:
    (variant,) = (v for v in variants("conv2d") if v.name == winograd)
    layer = layer_of(_layer(16, 16, 16), 0)
    assert variant.fits(layer)
    assert variant.scratch_bytes(layer) <= 16384
    for change in ({"stride": (2, 2)}, {"dilation": (2, 2)}):
        assert not variant.fits(replace(layer, op=replace(layer.op, **change)))
    assert not variant.fits(layer_of(_layer(16, 96, 16), 0))


def _layer(size: int, channels: int, filters: int, beside: int = 0) -> Graph:
    """The layer, and one of 1x1 windows with so many filters behind it."""
    x = Tensor("x", (1, size, size, channels), DType.S8, Quant.per_tensor(0.02, -128))
    tensors, ops = [x], []
    for name, width, count in (("layer", 3, filters), ("beside", 1, beside)):
        if count:
            op, *made = _convolution(name, tensors[-1], width, count)
            ops.append(op)
            tensors += made
    return verify(Graph("layer", ("x",), (tensors[-1].name,), {t.name: t for t in tensors}, tuple(ops)))


def _bytes(graph: Graph, board: str, first: str) -> int:
    """What the network takes with that kernel for its first layer."""
    core = load_board(board).core
    (variant,) = able_variants(layer_of(graph, 0), core, first)
    rest = [flash_bytes_of(layer, found) for layer, found in select(graph, core, "speed").layers()[1:]]
    return flash_bytes_of(layer_of(graph, 0), variant) + sum(rest)


def _convolution(name: str, x: Tensor, width: int, filters: int) -> tuple[Conv2D, Tensor, Tensor]:
    """With its weights and its output, of the input's size."""
    _, rows, columns, channels = x.shape
    weights = np.random.default_rng(3).integers(-127, 128, (filters, width, width, channels)).astype(np.int8)
    w = Tensor(f"{name}/w", weights.shape, DType.S8, Quant.per_tensor(0.005, 0), weights)
    y = Tensor(f"{name}/y", (1, rows, columns, filters), DType.S8, Quant.per_tensor(0.5, -128))
    padding = (width // 2, width // 2)
    op = Conv2D(
        name=name,
        inputs=(x.name, w.name),
        outputs=(y.name,),
        stride=(1, 1),
        dilation=(1, 1),
        padding=(padding, padding),
        clamp=NO_CLAMP,
    )
    return op, w, y


def _chosen(graph: Graph, board: str, goal: Goal, flash_bytes: int | None = None) -> list[str]:
    found = select(graph, load_board(board).core, goal, flash_bytes=flash_bytes).variants
    return [v.name for v in found if v is not None]
