"""The steps of a matrix as code for Armv6-M (midge.kernels.weights_as_code), and what they take.

Four sums are in r4-r7, from which products can be taken, four in r8-r11, to which they can only be added: there an
activation's sign is turned first, last of all that is done with it. r0 points to the activations, which come four to
a word in r3; r1 is an activation, r2 a product. r12 keeps where activations begin, lr where scales go on.
templates/kernels/fully_connected/armv6m_code.c.j2 spells the steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from midge.kernels.matrix_code import MatrixCode, Step, multiplied
from midge.kernels.pixel_pairs import Scaling, scaling_of
from midge.kernels.weights_as_code import TRIED, Group, Matrix, Use, grouped

NEEDS = frozenset({"armv6m"})
MOST_SUMS = 8
_LOW = 4
_ACTIVATION, _PRODUCT = "r1", "r2"
# Activations are loaded by words.
_WORD = 4
# Offsets reach 31 words; a pointer moves by at most 63.
_MOST_OFFSET, _MOST_MOVE = 124, 252
_MOST_OUTPUTS = 255

# Cycles and halfwords of a step, by its name.
_COSTS = {
    **dict.fromkeys(("word", "store", "outputs"), (2, 1)),
    **dict.fromkeys(("pick_1", "pick_2", "product"), (2, 2)),
    "put": (17, 14),
    "put_signed": (23, 18),
}
# What is done once.
_WHOLE_CYCLES, _WHOLE_BYTES = 60, 40


@lru_cache(maxsize=32)
def thumb_code(matrix: Matrix) -> MatrixCode | None:
    """The quickest code for a matrix, cycles of a Cortex-M0+; None where two products do not scale its sums exactly,
    and where words of activations reach into the next pixel."""
    if matrix.pixels > 1 and matrix.shape[1] % _WORD:
        return None
    scaled = scaling_of(matrix.rows, matrix.bias, matrix.zero_point, matrix.requantization)
    if scaled.split < 0:
        return None
    tried = {grouped(matrix.rows, MOST_SUMS, shared): None for shared in TRIED}
    return min((_code(groups, matrix, scaled) for groups in tried), key=lambda code: code.cycles)


def _code(groups: Sequence[Group], matrix: Matrix, scaled: Scaling) -> MatrixCode:
    rule = "put_signed" if scaled.is_signed else "put"
    steps = [(("take", "r0", "r12"), *_sums(group), *_outputs(group, rule)) for group in groups]
    costs = [_COSTS.get(str(step[0]), (1, 1)) for group in steps for step in group]
    cycles = sum(cost[0] for cost in costs) + _WHOLE_CYCLES
    code_bytes = 2 * sum(cost[1] for cost in costs) + _WHOLE_BYTES
    return MatrixCode(tuple(steps), cycles, code_bytes, matrix.rows, scaled.words, scaled.params)


def _register(index: int) -> str:
    return f"r{4 + index}"


def _sums(group: Group) -> Iterator[Step]:
    begun = set[int]()
    at, word = 0, -1
    for position, uses in group.taps:
        if position // _WORD != word:
            word = position // _WORD
            while _WORD * word - at > _MOST_OFFSET:
                move = min(_WORD * word - at, _MOST_MOVE)
                at += move
                yield "move", move
            yield "word", _WORD * word - at
        yield (f"pick_{position % _WORD}",)
        yield from _tap(uses, begun)
    for index in sorted(set(range(len(group.sums))) - begun, reverse=True):
        yield ("zero", _register(index)) if index < _LOW else ("zero", _PRODUCT)
        if index >= _LOW:
            yield "take", _register(index), _PRODUCT


def _tap(uses: Sequence[Use], begun: set[int]) -> Iterator[Step]:
    """What becomes of an activation; what is only taken from high sums comes last, with its sign turned."""
    late = []
    for use in uses:
        if all(index >= _LOW and sign < 0 for index, sign in use.targets):
            late.append(use)
        else:
            yield from _use(use, begun)
    if late:
        yield ("turn", _ACTIVATION, _ACTIVATION)
        for use in late:
            yield from _use(Use(use.factor, tuple((index, 1) for index, _ in use.targets)), begun)


def _use(use: Use, begun: set[int]) -> Iterator[Step]:
    """A product, once; then what it is added to, then what low sums lose, then its sign turned what high ones lose."""
    index, sign = use.targets[0]
    if len(use.targets) == 1 and index < _LOW and sign > 0 and index not in begun and use.factor > 1:
        begun.add(index)
        yield multiplied(_register(index), _ACTIVATION, use.factor)
        return
    source = _ACTIVATION
    if use.factor > 1:
        source = _PRODUCT
        yield multiplied(_PRODUCT, _ACTIVATION, use.factor)
    high = []
    for index, sign in use.targets:
        if index >= _LOW and sign < 0:
            high.append(index)
            continue
        yield ("take" if sign > 0 else "turn") if index not in begun else _joins(index, sign), _register(index), source
        begun.add(index)
    if high:
        yield "turn", _PRODUCT, source
    for index in high:
        yield "take" if index not in begun else _joins(index, 1), _register(index), _PRODUCT
        begun.add(index)


def _joins(index: int, sign: int) -> str:
    if index >= _LOW:
        return "join"
    return "add" if sign > 0 else "sub"


def _outputs(group: Group, rule: str) -> Iterator[Step]:
    """The sums of each channel become one, in a low register, and that an output."""
    first = group.channels[0][0]
    yield "take", "r3", "lr"
    for channel, indices in group.channels:
        total = _register(indices[0])
        if indices[0] >= _LOW:
            # Behind the first channel, which has r4.
            total = "r5"
            yield "take", total, _register(indices[0])
        for index in indices:
            yield from _added_up(total, index, index == indices[0], group.sums[index].weight)
        yield rule, total
        if channel == first:
            yield from _pointer_to(first)
        yield "store", channel - first
    yield "take", "lr", "r3"


def _added_up(total: str, index: int, is_total: bool, weight: int | None) -> Iterator[Step]:
    """A sum of one weight, times that, joins the channel's."""
    if weight is None:
        return
    source = total if is_total else _register(index)
    if not is_total and index >= _LOW:
        source = "r0"
        yield "take", source, _register(index)
    yield multiplied(_PRODUCT, source, weight)
    yield "take" if is_total else "add", total, _PRODUCT


def _pointer_to(output: int) -> Iterator[Step]:
    yield ("outputs",)
    while output:
        move = min(output, _MOST_OUTPUTS)
        output -= move
        yield "advance", move
