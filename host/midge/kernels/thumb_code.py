"""The steps of a matrix as code for Armv6-M (midge.kernels.weights_as_code), and what they take.

Four sums are in r4-r7, from which products can be taken, four in r8-r11, to which they can only be added: there an
activation's sign is turned first, last of all that is done with it. r0 points to the activations, which come four to
a word in r3; r1 is an activation, r2 a product. r12 keeps where activations begin, lr where scales go on.
templates/kernels/fully_connected/armv6m_code.c.j2 spells the steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from midge.ir.tensor import Array
from midge.kernels.weights_as_code import TRIED, Group, Use, grouped, is_power

MOST_SUMS = 8
_LOW = 4
_ACTIVATION, _PRODUCT = "r1", "r2"
# Offsets reach 31 words; a pointer moves by at most 63.
_MOST_OFFSET, _MOST_MOVE = 124, 252
_MOST_OUTPUTS = 255

Step = tuple[str | int, ...]
# Cycles and halfwords of a step, by its name.
_COSTS = {
    **dict.fromkeys(("word", "store", "outputs"), (2, 1)),
    **dict.fromkeys(("pick_1", "pick_2", "product"), (2, 2)),
    "put": (17, 14),
    "put_signed": (23, 18),
}
# What is done once.
_WHOLE_CYCLES, _WHOLE_BYTES = 60, 40


@dataclass(frozen=True)
class ThumbCode:
    """The steps by group; what they take with all around them, in cycles and bytes."""

    groups: tuple[tuple[Step, ...], ...]
    cycles: int
    bytes: int


def thumb_code(rows: Array, is_signed: bool) -> ThumbCode:
    """The quickest code for the matrix `rows` (channels, positions); `is_signed` says how sums become outputs."""
    tried = {grouped(rows, MOST_SUMS, shared): None for shared in TRIED}
    return min((_code(groups, is_signed) for groups in tried), key=lambda code: code.cycles)


def _code(groups: Sequence[Group], is_signed: bool) -> ThumbCode:
    rule = "put_signed" if is_signed else "put"
    steps = [(("take", "r0", "r12"), *_sums(group), *_outputs(group, rule)) for group in groups]
    costs = [_COSTS.get(str(step[0]), (1, 1)) for group in steps for step in group]
    cycles = sum(cost[0] for cost in costs) + _WHOLE_CYCLES
    code_bytes = 2 * sum(cost[1] for cost in costs) + _WHOLE_BYTES
    return ThumbCode(tuple(steps), cycles, code_bytes)


def _register(index: int) -> str:
    return f"r{4 + index}"


def _sums(group: Group) -> Iterator[Step]:
    begun = set[int]()
    at, word = 0, -1
    for position, uses in group.taps:
        if position // 4 != word:
            word = position // 4
            while 4 * word - at > _MOST_OFFSET:
                move = min(4 * word - at, _MOST_MOVE)
                at += move
                yield "move", move
            yield "word", 4 * word - at
        yield (f"pick_{position % 4}",)
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
        yield _multiplied(_register(index), _ACTIVATION, use.factor)
        return
    source = _ACTIVATION
    if use.factor > 1:
        source = _PRODUCT
        yield _multiplied(_PRODUCT, _ACTIVATION, use.factor)
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


def _multiplied(to: str, source: str, factor: int) -> Step:
    if is_power(factor):
        return "shift", to, source, factor.bit_length() - 1
    return "product", to, source, factor


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
    yield _multiplied(_PRODUCT, source, weight)
    yield "take" if is_total else "add", total, _PRODUCT


def _pointer_to(output: int) -> Iterator[Step]:
    yield ("outputs",)
    while output:
        move = min(output, _MOST_OUTPUTS)
        output -= move
        yield "advance", move
