"""The steps of a matrix as code for RV32IM (midge.kernels.weights_as_code), and what they take.

Sixteen sums are in registers; a0 points to the activations, t0 is one, t1 a product. A factor carries its sign, so that
products need only be added. templates/kernels/fully_connected/riscv_code.c.j2 spells the steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.matrix_code import MatrixCode, Step, multiplied
from midge.kernels.position_quads import Scaling, scaling_of
from midge.kernels.weights_as_code import TRIED, Group, Matrix, Use, grouped, is_power

SUMS = (*(f"a{n}" for n in range(3, 7)), *(f"t{n}" for n in range(3, 7)), *(f"s{n}" for n in range(1, 9)))
_ACTIVATION, _PRODUCT = "t0", "t1"
_MOST_OFFSET = 2047
_SHORT = range(-32, 32)

# Instructions and bytes of a step, by its name.
_COSTS = {
    **dict.fromkeys(("take", "add"), (1, 2)),
    **dict.fromkeys(("load", "move", "turn", "sub", "shift", "zero", "store", "advance"), (1, 4)),
    "product": (2, 8),
    "put": (8, 36),
    "put_signed": (15, 60),
}
# What is done once.
_WHOLE_INSTRUCTIONS, _WHOLE_BYTES = 40, 50


@lru_cache(maxsize=32)
def riscv_code(matrix: Matrix) -> MatrixCode | None:
    """The quickest code for a matrix, instructions for cycles; None where no rule scales its sums exactly."""
    scaled = scaling_of(matrix.rows, matrix.bias, matrix.zero_point, matrix.requantization)
    if scaled is None:
        return None
    rows = np.where(scaled.constant[:, None], 0, matrix.rows)
    tried = {grouped(rows, len(SUMS), shared): None for shared in TRIED}
    return min((_code(groups, rows, scaled) for groups in tried), key=lambda code: code.cycles)


def _code(groups: Sequence[Group], rows: Array, scaled: Scaling) -> MatrixCode:
    words = scaled.words.shape[1]
    made, at = [], 0
    for group in groups:
        steps = [*_sums(group, at), *_outputs(group, words)]
        at = next((at for at in reversed(_places(steps, at))), at)
        made.append(tuple(steps))
    costs = [_COSTS[str(step[0])] for steps in made for step in steps]
    short = sum(2 for steps in made for s in steps if s[0] == "product" and s[3] in _SHORT)
    instructions = sum(cost[0] for cost in costs) + _WHOLE_INSTRUCTIONS
    code_bytes = sum(cost[1] for cost in costs) - short + _WHOLE_BYTES
    return MatrixCode(tuple(made), instructions, code_bytes, rows, scaled.words, scaled.params)


def _places(steps: Sequence[Step], at: int) -> list[int]:
    """Where the pointer is behind each of its moves."""
    places = [at]
    for step in steps:
        if step[0] == "move":
            places.append(places[-1] + int(step[1]))
    return places


def _sums(group: Group, at: int) -> Iterator[Step]:
    """`at` is where the pointer to the activations is."""
    begun = set[int]()
    for position, uses in group.taps:
        while not 0 <= position - at <= _MOST_OFFSET:
            move = max(min(position - at, _MOST_OFFSET), -_MOST_OFFSET)
            at += move
            yield "move", move
        yield "load", position - at
        for use in uses:
            yield from _use(use, begun)
    for index in sorted(set(range(len(group.sums))) - begun):
        yield "zero", SUMS[index]


def _use(use: Use, begun: set[int]) -> Iterator[Step]:
    signs = {sign for _, sign in use.targets}
    targets, source, first = use.targets, _ACTIVATION, use.targets[0][0]
    if use.factor > 1 and len(signs) == 1 and not is_power(use.factor):
        factor = use.factor * signs.pop()
        targets, source = tuple((index, 1) for index, _ in targets), _PRODUCT
        if len(targets) == 1 and first not in begun:
            begun.add(first)
            yield "product", SUMS[first], _ACTIVATION, factor
            return
        yield "product", _PRODUCT, _ACTIVATION, factor
    elif use.factor > 1:
        source = _PRODUCT
        yield multiplied(_PRODUCT, _ACTIVATION, use.factor)
    for index, sign in targets:
        if index in begun:
            yield "add" if sign > 0 else "sub", SUMS[index], source
        else:
            begun.add(index)
            yield "take" if sign > 0 else "turn", SUMS[index], source


def _outputs(group: Group, words: int) -> Iterator[Step]:
    """The sums of each channel become one, and that an output."""
    first = group.channels[0][0]
    for channel, indices in group.channels:
        total = SUMS[indices[0]]
        for index in indices:
            weight = group.sums[index].weight
            if weight is not None:
                yield multiplied(_PRODUCT, SUMS[index], weight)
                yield "take" if index == indices[0] else "add", total, _PRODUCT
        yield "put" if words == 2 else "put_signed", total, 4 * words * (channel - first)
        yield "store", total, channel - first
    yield "advance", "a1", 4 * words * len(group.channels)
    yield "advance", "a2", len(group.channels)
