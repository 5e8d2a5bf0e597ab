"""A size that no arena can go below: the most memory that is alive in any one step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import gcd

from midge.memory.plan import Buffer, Overlap


def lower_bound(buffers: Sequence[Buffer], overlaps: Sequence[Overlap]) -> int:
    """Bytes that every plan needs: the maximum over steps of what is alive, less what may be shared.

    The live set grows only where a buffer is born, so those steps are enough.
    """
    ending: dict[int, list[Overlap]] = defaultdict(list)
    last = {b.name: b.last for b in buffers}
    for o in overlaps:
        ending[last[o.input]].append(o)
    births = sorted({b.first for b in buffers})
    return max((_step_bound([b for b in buffers if b.first <= s <= b.last], ending[s]) for s in births), default=0)


def _step_bound(live: Sequence[Buffer], overlaps: Sequence[Overlap]) -> int:
    """Bytes that one step needs. Proof, in granules of g bytes, g the greatest common divisor of the alignments:

    Every buffer starts on a granule, so two buffers are disjoint in bytes exactly when they are in granules, and a
    buffer occupies ceil(bytes / g) of them. A union measures at least the sum of its parts less the sum of what pairs
    share (Bonferroni), and what pairs share is limited by `_shareable`. The last granule of the union is the last of
    some buffer, of which all but that buffer's slack lies inside the arena. And the largest buffer has to fit.
    """
    live = [b for b in live if b.bytes]
    g = gcd(*(b.alignment for b in live)) or 1
    rounded = {b.name: _round_up(b.bytes, g) for b in live}
    slack = max((rounded[b.name] - b.bytes for b in live), default=0)
    pairs = [o for o in overlaps if o.input in rounded and o.output in rounded]
    union = sum(rounded.values()) - _shareable(rounded, pairs, g)
    return max(union - slack, *(b.bytes for b in live), 0)


def _shareable(sizes: dict[str, int], overlaps: Sequence[Overlap], g: int) -> int:
    """Bytes that all permitted pairs of one step can share at most.

    Inputs are disjoint from each other, so the pairs of one output share at most the output's size; likewise for one
    input and its outputs. Both sums are limits, the smaller one holds.
    """
    by_output: dict[str, int] = defaultdict(int)
    by_input: dict[str, int] = defaultdict(int)
    for o in overlaps:
        shared = shareable_bytes(sizes[o.output], sizes[o.input], _round_up(o.distance, g))
        by_output[o.output] += shared
        by_input[o.input] += shared
    return min(
        sum(min(sizes[name], shared) for name, shared in by_output.items()),
        sum(min(sizes[name], shared) for name, shared in by_input.items()),
    )


def shareable_bytes(output: int, input: int, distance: int) -> int:
    """Bytes that an output and an input of these sizes can share at most under a permission of `distance`.

    Let s = i - o >= distance and let the two intersect. Their union is one interval of max(output - s, input) bytes
    when s <= 0, which falls as s grows, and of max(output, s + input) when s >= 0, which grows with s. The smallest
    union therefore lies at s = max(distance, 0).
    """
    union = max(output, max(distance, 0) + input)
    return max(0, output + input - union)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
