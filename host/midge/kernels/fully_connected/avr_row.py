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
# Constants are taken from these and those behind.
_FIRST_HIGH = 16
_MOST_SIZE = 8
_UNROLLED = range(1, 9)
_MOST_TURNS, _MOST_WIDE_TURNS, _MOST_GROUPS = 255, 65535, 255
# A branch goes back so many words. What passes over weights takes five and a jump, if constants are far.
_MOST_BRANCHED, _PASSED_WORDS = 62, 6
# The function saves the registers from r2 to here.
_SAVED_END = 18
# The activations' share, of three bytes or four: behind a record, else where the function saves registers anyway. Both
# have r2 to r19.
_RECORD_REGISTERS, _SHARE_END = 18, 16
# Activations plus 128 of so many have a sum of two bytes.
_MOST_WITH = 257
# Cycles and words of a group beside what positions and sums take; of a sum of activations before all groups, beside
# 5 3/4 cycles for each.
_GROUP_CYCLES, _GROUP_WORDS = 50, 90
_BEFORE_CYCLES, _BEFORE_WORDS = 30, 36
# A hundredth of the cycles is worth a hundredth of the layer's bytes and these.
_OTHER_BYTES = 2048


@dataclass(frozen=True)
class Plan:
    """Groups of outputs ((how many, outputs in each), ...), positions per turn of the loop, whether activations are
    summed up before all groups, and what it costs."""

    groups: tuple[tuple[int, int], ...]
    unroll: int
    is_before: bool
    cycles: int
    bytes: int


def fits(layer: Layer) -> bool:
    """int8 with constant weights, one row, sums of four bytes."""
    matrix = matrix_of(layer)
    sums = _sums(matrix) if matrix is not None else None
    if matrix is None or sums is None or not any(plans(*matrix.shape, sums.sum_bytes, True)):
        return False
    return sums.is_common or _registers(sums) is not None


def bind(layer: Layer) -> Binding:
    """The stream, and how groups are laid out in registers."""
    matrix = matrix_of(layer)
    sums = _sums(matrix) if matrix is not None else None
    assert matrix is not None
    assert sums is not None, "the layer does not fit"
    channels, depth = matrix.shape
    skips = matrix.zero_point == -OFFSET
    plan = min(plans(channels, depth, sums.sum_bytes, skips), key=lambda plan: _score(plan, matrix, sums))
    registers = None if sums.is_common else _registers(sums)
    constants = sum(registers.values(), ()) if registers else ()
    share = max(constants) + 1 if constants else _SHARE_END - max(sums.sum_bytes, 3)
    scaling = sums.scaling(registers)
    turns = depth // plan.unroll
    groups = [_group(count, size, plan, sums.sum_bytes, turns, skips) for count, size in plan.groups]
    lowest = min(_lowest(size, plan.is_before, sums.sum_bytes, turns) for _, size in plan.groups)
    params: dict[str, object] = {
        "groups": groups,
        "unroll": plan.unroll,
        "turns": turns,
        "is_wide": turns > _MOST_TURNS,
        "is_before": plan.is_before,
        "share": share,
        "added": next(n for n in (4, 3, 2, 1) if depth % n == 0),
        "channels": channels,
        "depth": depth,
        "skips": skips,
        "sum_bytes": sums.sum_bytes,
        "scaling": scaling,
        "output_words": literal_words(scaling) + 2 * sums.sum_bytes + 3
        if sums.is_common and sums.sum_bytes < 4
        else 100,
        "clobbered": sorted(
            {*range(min(lowest, 16), 22), 23, *constants, *range(share, share + max(sums.sum_bytes, 3))} - {22}
        ),
    }
    stream = sums.stream(matrix.rows, plan.groups, is_high_turned=True)
    return Binding(params, (Constant("stream", "uint8_t", stream),))


def plans(channels: int, depth: int, sum_bytes: int, skips: bool) -> Iterator[Plan]:
    """Every number of groups, as like each other as they can be, with every number of positions per turn, and the
    activations' share found before or with the sums."""
    largest = min(_MOST_SIZE, (_END - _FIRST) // sum_bytes, channels)
    for count in range(-(-channels // largest), channels + 1):
        least, larger = divmod(channels, count)
        groups = tuple((n, s) for n, s in ((larger, least + 1), (count - larger, least)) if n)
        for unroll in (n for n in _UNROLLED if depth % n == 0 and max(count for count, _ in groups) <= _MOST_GROUPS):
            turns = depth // unroll
            for is_before in (True, False) if depth <= _MOST_WITH else (True,):
                size = groups[0][1]
                is_able = _lowest(size, is_before, sum_bytes, turns) >= _FIRST
                is_able = is_able and _end(turns) - size * (sum_bytes - 2) >= _FIRST_HIGH
                if turns <= _MOST_WIDE_TURNS and is_able:
                    yield _plan(groups, depth, unroll, is_before, sum_bytes, skips)


def _plan(
    groups: tuple[tuple[int, int], ...], depth: int, unroll: int, is_before: bool, sum_bytes: int, skips: bool
) -> Plan:
    turns, with_sums = depth // unroll, 0 if is_before else 2
    cycles, words = (depth * 23 // 4 + _BEFORE_CYCLES, _BEFORE_WORDS) if is_before else (0, 0)
    for count, size in groups:
        turn = _turn_words(size, unroll, is_before, sum_bytes, skips)
        looped = (3 if turn <= _MOST_BRANCHED else 4) + skips * max(unroll - 2, 0)
        cycles += count * (depth * (3 + skips + with_sums) + turns * looped + _GROUP_CYCLES)
        words += turn + 2 * size * sum_bytes + _GROUP_WORDS
    saved = max(_SAVED_END - _lowest(groups[0][1], is_before, sum_bytes, turns), 0)
    return Plan(groups, unroll, is_before, cycles + 4 * saved, 2 * (words + 2 * saved))


def _group(count: int, size: int, plan: Plan, sum_bytes: int, turns: int, skips: bool) -> dict[str, object]:
    """Where a group's sums and what they have beyond two bytes are, and whether a branch reaches back over a turn."""
    return {
        "count": count,
        "size": size,
        "first": _end(turns) - size * sum_bytes,
        "high": _end(turns) - size * (sum_bytes - 2),
        "is_short": _turn_words(size, plan.unroll, plan.is_before, sum_bytes, skips) <= _MOST_BRANCHED,
    }


def _turn_words(size: int, unroll: int, is_before: bool, sum_bytes: int, skips: bool) -> int:
    """From a turn's first position to what counts it."""
    position = 2 + skips + (0 if is_before else 2) + size * (2 + sum_bytes)
    return unroll * position + skips * _PASSED_WORDS * max(unroll - 2, 0) + 2


def _lowest(size: int, is_before: bool, sum_bytes: int, turns: int) -> int:
    """The lowest register while a group sums up."""
    return _end(turns) - size * sum_bytes - (0 if is_before else 3)


def _end(turns: int) -> int:
    return _END - 2 * (turns > _MOST_TURNS)


def _registers(sums: ByteSums) -> dict[str, tuple[int, ...]] | None:
    """Where a channel's record is, with room behind it for the activations' share."""
    return constant_registers(sums.found, 1, _RECORD_REGISTERS - max(sums.sum_bytes, 3))


def _score(plan: Plan, matrix: Matrix, sums: ByteSums) -> int:
    """Cycles times bytes, of all."""
    channels, depth = matrix.shape
    products = channels * depth * (5 + sums.sum_bytes) + channels * 70
    return (products + plan.cycles) * (channels * depth + plan.bytes + _OTHER_BYTES)


def _sums(matrix: Matrix) -> ByteSums | None:
    return byte_sums(matrix.rows, matrix.bias, matrix.zero_point, matrix.requantization)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, code_bytes=code_bytes)
