"""Winograd's convolution as midge scales it: an identity of integers, whose factors stay within 16 bits, chosen where
it wins and there is flash for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from midge.boards import load_board
from midge.ir.graph import NO_CLAMP, Graph
from midge.ir.tensor import DType, Quant, Tensor
from midge.ir.verify import verify
from midge.kernels.select import layer_of, select, variants
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
(WINOGRAD,) = (v for v in variants("conv2d") if v.name == "dsp_winograd")


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


def test_it_is_taken_for_speed_alone() -> None:
    assert _chosen(_layer(16, 16, 16), "speed") == ["dsp_winograd"]
    for goal in ("balanced", "size"):
        assert _chosen(_layer(16, 16, 16), goal) != ["dsp_winograd"]  # type: ignore[arg-type]


def test_without_the_flash_it_gives_way() -> None:
    layer = _layer(16, 32, 32)
    assert _chosen(layer, "speed", 160_000) == ["dsp_winograd"]
    assert _chosen(layer, "speed", 64_000) == ["dsp_window"]


def test_few_channels_and_small_images_are_left_to_windows() -> None:
    assert _chosen(_layer(16, 3, 16), "speed") == ["dsp_window"]
    assert _chosen(_layer(2, 32, 32), "speed") == ["dsp_window"]


def test_it_leaves_other_windows_strides_dilations_and_large_scratch_to_others() -> None:
    layer = layer_of(_layer(16, 16, 16), 0)
    assert WINOGRAD.fits(layer)
    assert WINOGRAD.scratch_bytes(layer) <= 16384
    for change in ({"stride": (2, 2)}, {"dilation": (2, 2)}):
        assert not WINOGRAD.fits(replace(layer, op=replace(layer.op, **change)))
    assert not WINOGRAD.fits(layer_of(_layer(16, 96, 16), 0))


def _layer(size: int, channels: int, filters: int) -> Graph:
    rng = np.random.default_rng(3)
    weights = rng.integers(-127, 128, (filters, 3, 3, channels)).astype(np.int8)
    x = Tensor("x", (1, size, size, channels), DType.S8, Quant.per_tensor(0.02, -128))
    w = Tensor("w", weights.shape, DType.S8, Quant.per_tensor(0.005, 0), weights)
    y = Tensor("y", (1, size, size, filters), DType.S8, Quant.per_tensor(0.5, -128))
    op = Conv2D(
        name="layer",
        inputs=("x", "w"),
        outputs=("y",),
        stride=(1, 1),
        dilation=(1, 1),
        padding=((1, 1), (1, 1)),
        clamp=NO_CLAMP,
    )
    return verify(Graph("layer", ("x",), ("y",), {t.name: t for t in (x, w, y)}, (op,)))


def _chosen(graph: Graph, goal: Goal, flash_bytes: int | None = None) -> list[str]:
    found = select(graph, load_board("nucleo_l4r5zi").core, goal, flash_bytes=flash_bytes).variants
    return [v.name for v in found if v is not None]
