"""Weights as codes of variable length: read back without loss by another reader, and never larger than they are."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.kernels.coded import LONGEST, Coded, code_lengths, coded


def _tensor(data: Array) -> Tensor:
    return Tensor("w", data.shape, DType.S8, Quant.per_tensor(0.1, 0), data.astype(np.int8))


def _read(found: Coded, count: int) -> list[int]:
    """By a dictionary of codes, bit by bit."""
    codes, code, place = {}, 0, 0
    for length, many in enumerate(found.counts.tolist(), found.shortest):
        code <<= 1 if length > found.shortest else 0
        for _ in range(many):
            codes[format(code, f"0{length}b")] = int(found.symbols[place])
            code, place = code + 1, place + 1
    bits = "".join(format(byte, "08b") for byte in found.stream.tolist())
    weights: list[int] = []
    seen = ""
    for bit in bits:
        seen += bit
        if seen in codes and len(weights) < count:
            symbol, seen = codes[seen], ""
            weights += [0] * (symbol - found.span) if symbol > found.span else [symbol + found.low]
    return weights


def _weights(kind: str, rng: np.random.Generator) -> Array:
    match kind:
        case "sparse":
            return rng.integers(-40, 41, (24, 70)) * (rng.random((24, 70)) < 0.08)
        case "peaked":
            return np.clip(np.rint(rng.normal(0, 4, (24, 70))), -128, 127)
        case "one value":
            return np.full((9, 11), -77)
        case "no zero":
            return rng.choice([-128, -5, 3, 127], (20, 30), p=[0.7, 0.1, 0.1, 0.1])
    return np.zeros((5, 300))


@pytest.mark.parametrize("kind", ["sparse", "peaked", "one value", "no zero", "zeros"])
def test_what_is_coded_is_read_back(kind: str) -> None:
    data = _weights(kind, np.random.default_rng(3)).astype(int)
    found = coded(_tensor(data), 0)
    assert found is not None
    assert _read(found, data.size) == data.reshape(-1).tolist()
    assert found.bytes == len(found.stream) + len(found.counts) + found.symbols.nbytes < data.size
    assert found.has_runs == (kind in {"sparse", "zeros"})


def test_channels_along_another_axis_are_coded_one_after_the_other() -> None:
    data = np.repeat([[1, 2, 3, 4]], 50, axis=0) * (np.arange(50) % 2)[:, None]
    found = coded(_tensor(data), 1)
    assert found is not None
    assert _read(found, data.size) == data.T.reshape(-1).tolist()


def test_codes_are_as_short_as_entropy_allows() -> None:
    shares = {0: 512, 1: 256, 2: 128, 3: 64, 4: 64}
    assert code_lengths(Counter(shares)) == {0: 1, 1: 2, 2: 3, 3: 4, 4: 4}


def test_no_code_is_longer_than_fifteen_bits() -> None:
    fibonacci = [1, 1]
    while len(fibonacci) < 30:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    lengths = code_lengths(Counter(dict(enumerate(fibonacci))))
    assert max(lengths.values()) == LONGEST
    assert sum(2.0**-length for length in lengths.values()) == 1


def test_weights_all_over_their_range_are_left_alone() -> None:
    assert coded(_tensor(np.random.default_rng(4).integers(-127, 128, (40, 60))), 0) is None
