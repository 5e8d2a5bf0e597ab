"""From what was seen in calibration to the range that int8 covers, and from a range to scale and zero point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from midge.ir.tensor import DType, Quant
from midge.quantize.histogram import Histogram

Method = Literal["minmax", "percentile", "mse", "kl"]

# The least squared error is looked for among ranges this much narrower than what was seen.
_SHRINKS = np.linspace(1.0, 0.3, 36)


@dataclass(frozen=True)
class Range:
    """Real values from `low` to `high`, which always hold 0."""

    low: float
    high: float


def with_zero(low: float, high: float) -> Range:
    """The range widened so that it holds 0."""
    return Range(min(low, 0.0), max(high, 0.0))


def united(ranges: list[Range]) -> Range:
    """The smallest range that holds all of them."""
    return Range(min(r.low for r in ranges), max(r.high for r in ranges))


def chosen_range(seen: Histogram, method: Method, percentile: float) -> Range:
    """The range of `seen` by `method`; `percentile` (of 100) is read by that method alone."""
    if method == "percentile":
        return percentile_range(seen, percentile)
    if method == "mse":
        return least_squares_range(seen)
    if method == "kl":
        return least_entropy_range(seen)
    return with_zero(seen.low, seen.high)


def percentile_range(seen: Histogram, percentile: float) -> Range:
    """Leaves out at most 100 - `percentile` percent of the values on each side, to the width of a bin."""
    left_out = seen.counts.sum() * (1 - percentile / 100)
    edges = (np.arange(-len(seen.counts) // 2, len(seen.counts) // 2 + 1)) * 2.0**seen.exponent
    from_below, from_above = np.cumsum(seen.counts), np.cumsum(seen.counts[::-1])
    low = edges[int(np.searchsorted(from_below, left_out, side="right"))]
    high = edges[::-1][int(np.searchsorted(from_above, left_out, side="right"))]
    return with_zero(max(seen.low, float(low)), min(seen.high, float(high)))


def least_squares_range(seen: Histogram) -> Range:
    """The range whose int8 values are nearest to what was seen, by squared error; both ends are searched in turn."""
    used = seen.counts > 0
    values, counts = seen.centers[used], seen.counts[used]
    best = with_zero(seen.low, seen.high)
    whole = best
    for _ in range(2):
        highs = [Range(best.low, whole.high * s) for s in _SHRINKS]
        best = min(highs, key=lambda r: squared_error(values, counts, r))
        lows = [Range(whole.low * s, best.high) for s in _SHRINKS]
        best = min(lows, key=lambda r: squared_error(values, counts, r))
    return best


def least_entropy_range(seen: Histogram) -> Range:
    """The range whose int8 values lose least information about how often which value comes up.

    What is cut off is counted at the ends, in what is lost as well. Source: S. Migacz, "8-bit inference with TensorRT",
    GTC 2017, which this carries over to ranges that are not symmetric.
    """
    whole = with_zero(seen.low, seen.high)
    used = seen.counts > 0
    values, counts = seen.centers[used], seen.counts[used].astype(np.float64)
    candidates = [Range(whole.low * s, whole.high * s) for s in _SHRINKS]
    return min(candidates, key=lambda r: _divergence(values, counts, r))


def _divergence(values: NDArray[np.float64], counts: NDArray[np.float64], range_: Range) -> float:
    """Relative entropy of the counts to what is left of them: each step's count spread evenly over its values."""
    quant = activation_quant(range_)
    steps = np.clip(np.rint(values / quant.scale) + quant.zero_point, *DType.S8.limits).astype(np.int64) + 128
    inside = (values >= range_.low) & (values <= range_.high)
    kept = np.where(inside, counts, 0.0)
    shares = np.bincount(steps, kept, 256) / np.maximum(np.bincount(steps, None, 256), 1)
    spread = shares[steps]
    total, left = counts.sum(), max(float(spread.sum()), 1.0)
    p, q = counts / total, np.maximum(spread / left, 1e-12)
    return float((p * np.log(p / q)).sum())


def squared_error(values: NDArray[np.float64], counts: NDArray[np.int64], range_: Range) -> float:
    """The sum over `values`, each `counts` times, of the squared difference to its int8 value."""
    quant = activation_quant(range_)
    q = np.clip(np.rint(values / quant.scale) + quant.zero_point, *DType.S8.limits)
    return float((counts * ((q - quant.zero_point) * quant.scale - values) ** 2).sum())


def activation_quant(range_: Range) -> Quant:
    """int8 over `range_`: 255 steps from low to high, 0 represented exactly by a zero point in -128..127.

    A range of nothing but 0 has the scale 1. Source: the affine scheme of Jacob et al., arXiv 1712.05877, section 3.
    """
    low, high = DType.S8.limits
    scale = float(np.float32((range_.high - range_.low) / (high - low)))
    if scale < np.finfo(np.float32).tiny:
        return Quant.per_tensor(1.0, 0)
    return Quant.per_tensor(scale, int(np.clip(round(low - range_.low / scale), low, high)))
