"""What layers with dense and sparse weights take on the Cortex-M4F, to choose a kernel where nothing is measured.

Formulas count the loops of the templates; the rest (widening, requantization, calls) is fitted to 32 layers of 3 to 64
channels and 5 to 640 positions under the model of the core, and meets each of them to 4 %. Those of sparse kernels say
a sixteenth more, so that what is chosen does not lose. Windows leave out what both ways to do them share.
"""

from __future__ import annotations

from midge.kernels.dsp_pointwise import Pixels, unrolled
from midge.kernels.geometry import Window
from midge.kernels.paired_channels import GROUP
from midge.kernels.sparse_pointwise import Plan
from midge.kernels.sparse_row import RowPlan

_CAUTION = 17 / 16


def dense_cycles(pixels: Pixels, channels: int, depth: int) -> int:
    """Of kernels/dsp_pointwise.j2."""
    groups, unroll, words = -(-channels // GROUP), *unrolled(depth)
    rest = channels % GROUP > 0
    if pixels.pixels == 1:
        one = groups * (_single(words, unroll) + 40) + 2.75 * depth + 76 * rest
        return round(182 + pixels.rows * one)
    pair = groups * (_double(words, unroll) + 62.5) + 93 + 3.7 * depth + 84 * rest
    odd = groups * (_single(words, 2) + 48) + 2.2 * depth + 84 * rest
    return round(187 + pixels.rows * (pixels.pixels // 2 * pair + pixels.pixels % 2 * odd))


def sparse_pixels_cycles(pixels: Pixels, channels: int, depth: int, plan: Plan) -> int:
    """Of kernels/dsp_sparse_pointwise.j2: the list, then pairs of pixels."""
    rest = channels % GROUP > 0
    entries = sum(len(group.neighbors) + 2 * len(group.strangers) for group in plan.groups)
    pair = plan.cycles + 51 * len(plan.groups) + 107 + 2.65 * depth + 140 * rest
    made = 29 * entries + 35 * len(plan.groups)
    return round(_CAUTION * (145 + made + pixels.rows * -(-pixels.pixels // 2) * pair))


def sparse_rows_cycles(rows: int, channels: int, depth: int, plan: RowPlan) -> int:
    """Of fully_connected/dsp_sparse."""
    return round(_CAUTION * (152 + rows * (_row(channels, plan) + 2.7 * depth)))


def dense_window_cycles(window: Window, unroll: int, words: int) -> int:
    """Of conv2d/dsp_window, without the columns."""
    groups, rest = -(-window.out_c // GROUP), window.out_c % GROUP > 0
    pair = groups * (_double(words, unroll) + 62.5) + 40 + 84 * rest
    odd = groups * (_single(words, unroll) + 48) + 40 + 84 * rest
    return round(window.out_h * (window.out_w // 2 * pair + window.out_w % 2 * odd))


def sparse_window_cycles(window: Window, plan: RowPlan) -> int:
    """Of conv2d/dsp_sparse_window, without the columns."""
    return round(_CAUTION * window.out_h * window.out_w * (_row(window.out_c, plan) + 40))


def _row(channels: int, plan: RowPlan) -> float:
    return plan.cycles - 3.8 * len(plan.groups) + 73 * (channels % GROUP > 0)


def _double(words: int, unroll: int) -> float:
    """Pairs of positions of two pixels: 15 cycles each, and 4 for a turn."""
    return 15 * words + 4 * (words / unroll)


def _single(words: int, unroll: int) -> float:
    """Of one pixel: 9.5 each."""
    return 9.5 * words + 4 * (words / unroll)
