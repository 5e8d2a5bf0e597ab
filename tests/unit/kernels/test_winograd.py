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
    assert _chosen(_layer(16, 16, 16, beside=2048), "speed") == ["dsp_winograd", "dsp_pointwise"]
    goals: tuple[Goal, ...] = ("balanced", "size")
    for goal in goals:
        assert "dsp_winograd" not in _chosen(_layer(16, 16, 16, beside=2048), goal)


def test_it_adds_no_more_than_half_of_all_constants_unless_it_is_asked_for() -> None:
    # 2,304 bytes of weights become 18,432.
    assert _chosen(_layer(16, 16, 16, beside=1900), "speed")[0] == "dsp_winograd"
    assert _chosen(_layer(16, 16, 16, beside=1800), "speed")[0] == "dsp_window"
    asked = select(_layer(16, 16, 16), load_board("nucleo_l4r5zi").core, "speed", {"conv2d": "dsp_winograd"})
    assert asked.variants == (WINOGRAD,)


def test_without_the_flash_it_gives_way() -> None:
    layer = _layer(16, 16, 16, beside=2048)
    assert _chosen(layer, "speed", 160_000)[0] == "dsp_winograd"
    assert _chosen(layer, "speed", 88_000)[0] == "dsp_window"


def test_few_channels_and_small_images_are_left_to_windows() -> None:
    assert _chosen(_layer(16, 3, 16, beside=8192), "speed")[0] == "dsp_window"
    assert _chosen(_layer(2, 32, 32, beside=8192), "speed")[0] == "dsp_window"


def test_it_leaves_other_windows_strides_dilations_and_large_scratch_to_others() -> None:
    layer = layer_of(_layer(16, 16, 16), 0)
    assert WINOGRAD.fits(layer)
    assert WINOGRAD.scratch_bytes(layer) <= 16384
    for change in ({"stride": (2, 2)}, {"dilation": (2, 2)}):
        assert not WINOGRAD.fits(replace(layer, op=replace(layer.op, **change)))
    assert not WINOGRAD.fits(layer_of(_layer(16, 96, 16), 0))


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


def _chosen(graph: Graph, goal: Goal, flash_bytes: int | None = None) -> list[str]:
    found = select(graph, load_board("nucleo_l4r5zi").core, goal, flash_bytes=flash_bytes).variants
    return [v.name for v in found if v is not None]
