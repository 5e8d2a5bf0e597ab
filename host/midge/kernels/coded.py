"""Weights as codes of variable length, for kernels that decode them as they go: the fewest bytes, at many cycles.

A symbol is a weight less the least one, `low`; symbols above `span`, the greatest of those, are runs of so many zeros
more than `span`. Symbols have canonical Huffman codes of at most 15 bits, so that `counts` by length and the symbols in
the order of their codes say all. The stream holds the codes channel by channel, the first bit of a byte uppermost. No
run goes beyond its channel. firmware/nn/midge_coded.h reads it.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np

from midge.ir.tensor import Array, Tensor
from midge.kernels.literals import has_constant_weights, is_float
from midge.kernels.narrow import weight_rows
from midge.kernels.variant import Binding, Constant, Layer
from midge.ops.types import is_dynamic

LONGEST = 15
# What decoding takes of code, beyond a loop over int8 (benchmarks/clustered.py).
_CODE_BYTES = 132
# Lengths of runs; those that do not come up get no code.
_RUNS = (64, 32, 16, 8, 4, 2)
# Where each weight alone needs more bits than this, by its entropy, and zeros are rare, codes save next to nothing.
_MOST_BITS, _FEWEST_ZEROS = 7.5, 0.4


@dataclass(frozen=True, eq=False)
class Coded:
    """The stream, how many codes there are of `shortest` and more bits, and the symbols in the order of their codes."""

    stream: Array
    shortest: int
    counts: Array
    symbols: Array
    low: int
    span: int

    @property
    def has_runs(self) -> bool:
        """Whether any symbol is a run of zeros."""
        return bool(self.symbols.max() > self.span)

    @property
    def bytes(self) -> int:
        """What all of it takes in flash."""
        return len(self.stream) + len(self.counts) + self.symbols.nbytes


def can_code(layer: Layer) -> bool:
    """Whether the layer computes in integers with constant weights that take fewer bytes as codes."""
    if not has_constant_weights(layer) or is_float(layer) or is_dynamic(layer.inputs):
        return False
    return coded_weights(layer) is not None


def code_bytes(_: Layer) -> int:
    """Code beyond the portable variant's."""
    return _CODE_BYTES


def with_coded_weights(plain: Binding, layer: Layer) -> Binding:
    """The portable variant's binding with the weights as codes."""
    found = coded_weights(layer)
    assert found is not None
    params = {**plain.params, "width": "coded", "low": found.low, "span": found.span, "has_runs": found.has_runs}
    params |= {"shortest": found.shortest, "longest": found.shortest + len(found.counts) - 1}
    params["stream_bytes"] = len(found.stream)
    constants = [
        Constant("codes", "uint8_t", found.stream),
        Constant("counts", "uint8_t", found.counts.astype(np.uint8)),
        Constant("symbols", f"{found.symbols.dtype.name}_t", found.symbols),
        *(c for c in plain.constants if c.role != "weights"),
    ]
    return Binding(params, tuple(constants))


def coded_weights(layer: Layer) -> Coded | None:
    """A layer's weights, its input 1, as codes; None where that saves no byte."""
    return coded(layer.inputs[1], layer.op.weight_axis[1])


@lru_cache(maxsize=64)
def coded(weights: Tensor, axis: int) -> Coded | None:
    """int8 weights whose output channels lie along `axis` as codes; None where that saves no byte.

    With runs of zeros or without, whichever is smaller.
    """
    rows = weight_rows(weights, axis)
    if rows is None or not _may_pay(rows):
        return None
    low, span = int(rows.min()), int(rows.max() - rows.min())
    plain = [(rows - low).reshape(-1).tolist()]
    if low <= 0 <= low + span:
        plain.append([s for row in (rows - low).tolist() for s in _with_runs(row, -low, span)])
    found = min((_coded(symbols, low, span) for symbols in plain), key=lambda c: c.bytes)
    return found if found.bytes < rows.size and found.counts.max() < 256 else None


def _may_pay(rows: Array) -> bool:
    _, counts = np.unique(rows, return_counts=True)
    shares = counts / rows.size
    return bool(-(shares * np.log2(shares)).sum() < _MOST_BITS or (rows == 0).mean() > _FEWEST_ZEROS)


def _with_runs(row: Sequence[int], zero: int, span: int) -> list[int]:
    """The symbols of a row with its runs of `zero` as few symbols."""
    found: list[int] = []
    for symbol, group in groupby(row):
        left = len(list(group))
        if symbol != zero:
            found += [symbol] * left
            continue
        for length in _RUNS:
            found += [span + length] * (left // length)
            left %= length
        found += [zero] * left
    return found


def _coded(stream: Sequence[int], low: int, span: int) -> Coded:
    lengths = code_lengths(Counter(stream))
    order = sorted(lengths, key=lambda symbol: (lengths[symbol], symbol))
    codes, code, before = {}, 0, 0
    for symbol in order:
        code <<= lengths[symbol] - before
        before = lengths[symbol]
        codes[symbol] = format(code, f"0{before}b")
        code += 1
    bits = "".join([codes[symbol] for symbol in stream])
    packed = np.packbits(np.frombuffer(bits.encode(), np.uint8) - ord("0"))
    shortest = lengths[order[0]]
    counts = np.bincount(list(lengths.values()))[shortest:]
    symbols = np.array(order, np.uint8 if max(order) < 256 else np.uint16)
    return Coded(packed, shortest, counts, symbols, low, span)


def code_lengths(frequencies: Counter[int]) -> dict[int, int]:
    """Bits of each symbol's Huffman code, 1 to 15; ties go to what came first, smaller symbols before larger ones.

    Where a code would be longer, frequencies are halved until none is.
    """
    wanted = sorted(frequencies.items())
    if len(wanted) == 1:
        return {wanted[0][0]: 1}
    while True:
        lengths = _huffman([count for _, count in wanted])
        if max(lengths) <= LONGEST:
            return {symbol: length for (symbol, _), length in zip(wanted, lengths, strict=True)}
        wanted = [(symbol, (count + 1) // 2) for symbol, count in wanted]


def _huffman(counts: Sequence[int]) -> list[int]:
    """How deep each leaf lies in the tree that joins the two rarest nodes again and again."""
    depths = [0] * len(counts)
    nodes = [(count, number, [number]) for number, count in enumerate(counts)]
    heapq.heapify(nodes)
    for number in range(len(counts), 2 * len(counts) - 1):
        (a, _, left), (b, _, right) = heapq.heappop(nodes), heapq.heappop(nodes)
        for leaf in left + right:
            depths[leaf] += 1
        heapq.heappush(nodes, (a + b, number, left + right))
    return depths
