"""Non-maximum suppression in float32: of boxes that overlap the best is kept. Mirrored by midge_nn_boxes.h.

A box is (y1, x1, y2, x2), any two opposite corners. Every step rounds once, so that C gives the same bits; of equal
scores the first box comes first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array


@dataclass(frozen=True)
class Suppression:
    """`overlap`: how much of the union two boxes may have in common; `strict`: and not that much itself.

    A box counts whose score is above `least`, or with `at_least` that itself. With a positive `sigma` overlapping
    boxes lose score rather than being dropped, by e^(-overlap^2 / (2 sigma)).
    """

    overlap: float
    least: float
    strict: bool = False
    at_least: bool = False
    sigma: float = 0.0


def overlaps(box: Array, others: Array) -> Array:
    """What of their union `box` (4,) and each of `others` (n, 4) have in common: float32 (n,); 0 without an area."""
    top, bottom = np.minimum(others[:, 0], others[:, 2]), np.maximum(others[:, 0], others[:, 2])
    left, right = np.minimum(others[:, 1], others[:, 3]), np.maximum(others[:, 1], others[:, 3])
    height = np.minimum(bottom, max(box[0], box[2])) - np.maximum(top, min(box[0], box[2]))
    width = np.minimum(right, max(box[1], box[3])) - np.maximum(left, min(box[1], box[3]))
    common = np.maximum(height, np.float32(0)) * np.maximum(width, np.float32(0))
    area, areas = abs(box[2] - box[0]) * abs(box[3] - box[1]), (bottom - top) * (right - left)
    union = area + areas - common
    with np.errstate(all="ignore"):
        return np.where((area > 0) & (areas > 0) & (union > 0), common / union, np.float32(0))


def suppress(boxes: Array, scores: Array, most: int, how: Suppression) -> tuple[Array, Array]:
    """Which of `boxes` (n, 4) are kept, best first, at most `most`: int64 indices, and their float32 scores."""
    left = np.where(scores >= how.least if how.at_least else scores > how.least, scores, np.float32(np.nan))
    met = np.zeros(len(scores), np.int64)
    chosen: list[int] = []
    kept: list[np.float32] = []
    factor = np.float32(-0.5 / how.sigma) if how.sigma > 0 else np.float32(0)
    while len(chosen) < most and not np.isnan(left).all():
        best = int(np.nanargmax(left))
        before = score = left[best]
        left[best] = np.nan
        # Those that it has met have taken their share of its score.
        for common in overlaps(boxes[best], boxes[chosen])[met[best] :][::-1]:
            if common >= how.overlap if how.strict else common > how.overlap:
                score = np.float32(np.nan)
                break
            if how.sigma > 0:
                score = score * np.exp(factor * common * common, dtype=np.float32)
            if score <= how.least and not how.at_least:
                break
        met[best] = len(chosen)
        if score == before:
            chosen.append(best)
            kept.append(score)
        elif score > how.least:
            left[best] = score
    return np.array(chosen, np.int64), np.array(kept, np.float32)
