"""Convolution of 3x3 windows by fewer products, in integers and exactly.

A tile of 4x4 outputs sees 6x6 inputs d through weights g. Winograd's F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms for
Convolutional Neural Networks", 2016) makes it of 36 products instead of 144, for each pair of channels:

    tile = A^T ((G g G^T) * (B^T d B)) A,    * by element, summed over the input channels

B is of integers, but G has sixths and twenty-fourths. So weights are transformed by T below, whose rows are those of G
times a number each, and A takes what is missing, times 24. By rows, for m = (T g) * (B^T d):

    24 y0 = z0,    z0 = m0 + (m3 + m4) - 4 (m1 + m2)        24 y1 = 2 z1,  z1 = (m3 - m4) - 2 (m1 - m2)
    24 y2 = 4 z2,  z2 = (m3 + m4) - (m1 + m2)               24 y3 = 4 z3,  z3 = m5 + 2 (m3 - m4) - (m1 - m2)

Why integers are enough. Weights become |T g T^T| <= 7 * 7 * 128 = 6272, and inputs, as bytes of 0 to 255, -12750 to
17340 (the sums of the negative and of the positive numbers of B^T d B): both are int16, as SMLAD wants them. From there
on all is modulo 2^32, where sums may wrap. What comes out is z with 576 y = 2^k z, k from 0 to 4. The inverse of 9
modulo 2^32 makes that 64 y = 2^k z / 9 modulo 2^32, which is 64 y itself while |y| < 2^25: `fits` asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.geometry import Window
from midge.kernels.literals import int32_words
from midge.kernels.paired_channels import GROUP, Sums, requantize
from midge.numerics.requantize import Requantization

TILE, PATCH = 4, 6
POSITIONS = PATCH * PATCH
# Sums come multiplied by 2^6 to the requantization.
LIFT = 6
_TRANSFORM = np.array([[6, 0, 0], [1, 1, 1], [1, -1, 1], [1, 2, 4], [1, -2, 4], [0, 0, 6]])
# Inputs are taken as bytes of 0 to 255.
_RAISED = 128
# Pairs of channels done per turn of the inner loop, 56 bytes of code each: where one turn is enough, and else.
_ONE_TURN, _MOST_UNROLL = 16, 12


@dataclass(frozen=True, eq=False)
class WinogradStream:
    """The words, int32: for each group of four output channels `words_per_group` of products, in the order of the loop,
    then for each channel `record` words: what requantizes, and 64 times the start. `shift` as in
    midge.kernels.paired_channels."""

    words: Array
    words_per_group: int
    record: int
    shift: int


def tiles(window: Window) -> tuple[int, int]:
    """Rows and columns of tiles of one image."""
    return -(-window.out_h // TILE), -(-window.out_w // TILE)


def padded_channels(channels: int) -> int:
    """Input channels that the kernel reads: whole words of bytes."""
    return -(-channels // 4) * 4


def turns(channels: int) -> tuple[int, int]:
    """(pairs of input channels per turn, pairs in all): one turn, or the fewest cycles, 16 for a pair, 6 for a turn."""
    pairs = padded_channels(channels) // 2
    if pairs <= _ONE_TURN:
        return pairs, pairs

    def cycles(unroll: int) -> int:
        return -(-pairs // unroll) * (16 * unroll + 6)

    unroll = min(range(2, _MOST_UNROLL + 1, 2), key=cycles)
    return unroll, -(-pairs // unroll) * unroll


def can_lift(sums: Sums) -> bool:
    """Whether 64 times each sum is an int32."""
    return bool((np.maximum(-sums.low, sums.high) < 1 << 31 - LIFT).all())


def winograd_stream(weights: Array, sums: Sums, r: Requantization) -> WinogradStream:
    """Pack `weights` (OHWI, 3x3); `sums` are those over raw int8 inputs."""
    found = requantize(sums, r, (LIFT,) * GROUP)
    raised = np.pad(sums.weights.sum(axis=1) * _RAISED << LIFT, (0, found.starts.size - len(sums.bias)))
    starts = found.starts.reshape(-1, GROUP) - raised.reshape(-1, GROUP)
    tail = found.tail.reshape(len(starts), GROUP, -1)[:, :, ::-1]
    record = np.concatenate([tail, starts[:, :, None]], axis=2)
    products = _products(weights)
    words = np.concatenate([products, record.reshape(len(starts), -1)], axis=1)
    return WinogradStream(int32_words(words), products.shape[1], record.shape[2], found.shift)


def transformed(weights: Array) -> Array:
    """T g T^T of OHWI weights: (6, 6, O, I)."""
    found: Array = np.einsum("pi,oijc,qj->pqoc", _TRANSFORM, weights.astype(np.int64), _TRANSFORM)
    return found


def _products(weights: Array) -> Array:
    """(groups, words): for each position, for each pair of input channels, the pair of each of four channels."""
    channels = weights.shape[3]
    words = turns(channels)[1]
    whole = np.zeros((POSITIONS, -(-len(weights) // GROUP) * GROUP, 2 * words), np.int64)
    whole[:, : len(weights), :channels] = transformed(weights).reshape(POSITIONS, len(weights), channels)
    # Of each four bytes first 0 and 2 are taken, then 1 and 3.
    ordered = whole.reshape(POSITIONS, -1, words // 2, 4)[..., [0, 2, 1, 3]].reshape(*whole.shape) & 0xFFFF
    pairs = ordered[..., 0::2] | ordered[..., 1::2] << 16
    groups: Array = pairs.reshape(POSITIONS, -1, GROUP, words).transpose(1, 0, 3, 2)
    return groups.reshape(len(groups), -1)
