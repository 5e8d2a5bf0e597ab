"""FULLY_CONNECTED int8 of one row for AVR: the input is read where it is, while weights stream by.

A group of outputs has its sums in registers, up to eight of them; each activation, plus 128, meets a weight of each
(midge.kernels.byte_sums). Where the zero point is -128 an activation may be zero then: the group's weights are passed
over. The flash is read in one line: for each group the starting values, the weights by position, and where channels
differ what scales their sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from midge.kernels.byte_blocks import NEEDS, code_bytes, constant_registers
from midge.kernels.byte_scaling import literal_words
from midge.kernels.byte_sums import OFFSET, ByteSums, byte_sums
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.kernels.weights_as_code import Matrix, matrix_of

# Sums are in the registers from r2 to r25, to r23 where turns take two bytes.
_FIRST, _END = 2, 26
_MOST_SIZE = 8
_UNROLLED = range(1, 9)
_MOST_TURNS, _MOST_WIDE_TURNS, _MOST_GROUPS = 255, 65535, 255
# A branch goes back so many words. What passes over weights takes five and a jump, if constants are far.
_MOST_BRANCHED, _PASSED_WORDS = 62, 6
# The function saves the registers from r2 to here.
_SAVED_END = 18
# Cycles and words of a group beside what positions and sums take.
_GROUP_CYCLES, _GROUP_WORDS = 50, 90
# A hundredth of the cycles is worth a hundredth of the layer's bytes and these.
_OTHER_BYTES = 8192


@dataclass(frozen=True)
class Plan:
    """Groups of outputs ((how many, outputs in each), ...), positions per turn of the loop, and what it costs."""

    groups: tuple[tuple[int, int], ...]
    unroll: int
    cycles: int
    bytes: int


def fits(layer: Layer) -> bool:
    """int8 with constant weights, one row, sums of three bytes."""
    matrix = matrix_of(layer)
    return matrix is not None and any(plans(*matrix.shape, 3, True)) and _sums(matrix) is not None


def bind(layer: Layer) -> Binding:
    """The stream, and how groups are laid out in registers."""
    matrix = matrix_of(layer)
    sums = _sums(matrix) if matrix is not None else None
    assert matrix is not None
    assert sums is not None, "the layer does not fit"
    channels, depth = matrix.shape
    skips = matrix.zero_point == -OFFSET
    plan = min(plans(channels, depth, sums.sum_bytes, skips), key=lambda plan: _score(plan, matrix, sums))
    registers = None if sums.is_common else constant_registers(sums.found, 1)
    scaling = sums.scaling(registers)
    turns = depth // plan.unroll
    first = {size: _first(size, sums.sum_bytes, turns) for _, size in plan.groups}
    groups = [
        {
            "count": n,
            "size": size,
            "first": first[size],
            "thirds": _end(turns) - size,
            "is_short": _turn_words(size, sums.sum_bytes, plan.unroll, skips) <= _MOST_BRANCHED,
        }
        for n, size in plan.groups
    ]
    constants = sum(registers.values(), ()) if registers else ()
    params: dict[str, object] = {
        "groups": groups,
        "unroll": plan.unroll,
        "turns": turns,
        "is_wide": turns > _MOST_TURNS,
        "added": next(n for n in (4, 3, 2, 1) if depth % n == 0),
        "channels": channels,
        "depth": depth,
        "skips": skips,
        "sum_bytes": sums.sum_bytes,
        "scaling": scaling,
        "output_words": literal_words(scaling) + sums.sum_bytes + 2 if sums.is_common else 100,
        "clobbered": sorted({*range(min(*first.values(), 16), 22), 23, *constants}),
    }
    return Binding(
        params, (Constant("stream", "uint8_t", sums.stream(matrix.rows, plan.groups, is_third_turned=True)),)
    )


def plans(channels: int, depth: int, sum_bytes: int, skips: bool) -> Iterator[Plan]:
    """Every number of groups, as like each other as they can be, with every number of positions per turn."""
    largest = min(_MOST_SIZE, (_END - _FIRST) // sum_bytes, channels)
    for count in range(-(-channels // largest), channels + 1):
        size, larger = divmod(channels, count)
        groups = tuple((n, s) for n, s in ((larger, size + 1), (count - larger, size)) if n)
        for unroll in (n for n in _UNROLLED if depth % n == 0 and max(count for count, _ in groups) <= _MOST_GROUPS):
            if depth <= _MOST_WIDE_TURNS * unroll and _first(groups[0][1], sum_bytes, depth // unroll) >= _FIRST:
                yield _plan(groups, depth, unroll, sum_bytes, skips)


def _plan(groups: tuple[tuple[int, int], ...], depth: int, unroll: int, sum_bytes: int, skips: bool) -> Plan:
    cycles = words = 0
    turns = depth // unroll
    for count, size in groups:
        turn = _turn_words(size, sum_bytes, unroll, skips)
        looped = (3 if turn <= _MOST_BRANCHED else 4) + skips * max(unroll - 2, 0)
        cycles += count * (depth * (3 + skips) + turns * looped + _GROUP_CYCLES)
        words += turn + 3 * size * sum_bytes + _GROUP_WORDS
    saved = _SAVED_END - _first(groups[0][1], sum_bytes, turns)
    return Plan(groups, unroll, cycles + 4 * max(saved, 0), 2 * (words + 2 * max(saved, 0)))


def _turn_words(size: int, sum_bytes: int, unroll: int, skips: bool) -> int:
    """From a turn's first position to what counts it: five words more pass over the weights of a position within."""
    return unroll * (2 + skips + size * (2 + sum_bytes)) + skips * _PASSED_WORDS * max(unroll - 2, 0) + 2


def _first(size: int, sum_bytes: int, turns: int) -> int:
    """The first register of a group's sums."""
    return _end(turns) - size * sum_bytes


def _end(turns: int) -> int:
    return _END - 2 * (turns > _MOST_TURNS)


def _score(plan: Plan, matrix: Matrix, sums: ByteSums) -> int:
    """Cycles times bytes, of all."""
    channels, depth = matrix.shape
    products = channels * depth * (5 + sums.sum_bytes) + channels * 70
    return (products + plan.cycles) * (channels * depth + plan.bytes + _OTHER_BYTES)


def _sums(matrix: Matrix) -> ByteSums | None:
    return byte_sums(matrix.rows, matrix.bias, matrix.zero_point, matrix.requantization)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, code_bytes=code_bytes)
