"""Draws boxes with scores of which the best are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from differential.drawn_cases import Case, Rng, case, constant
from midge.ir.tensor import Array, DType, Tensor


def drawn_boxes(count: int, rng: Rng) -> Array:
    """Boxes of any two opposite corners, of which many overlap."""
    middle, size = rng.random((count, 2)), rng.uniform(0.01, 0.6, (count, 2))
    corners = np.stack([middle - size / 2, middle + size / 2], axis=1)
    flipped = np.where(rng.random((count, 1, 2)) < 0.3, corners[:, ::-1], corners)
    return flipped.reshape(count, 4).astype(np.float32)


def drawn_scores(shape: tuple[int, ...], rng: Rng) -> Array:
    """Scores of which no two are equal: TFLite leaves open which would come first."""
    count = int(np.prod(shape))
    return ((rng.permutation(count) + rng.uniform(0, 0.5)) / count).astype(np.float32).reshape(shape)


def _number(name: str, value: float) -> Tensor:
    return Tensor(name, (), DType.F32, None, np.array(value, np.float32))


def _suppression(code: str, dtype: DType, rng: Rng) -> Case:
    """Floats whatever `dtype` is; scores are lowered for floats alone, as an exponential is no matter of bits."""
    count = int(rng.integers(1, 40))
    boxes, scores = Tensor("boxes", (count, 4), DType.F32), Tensor("scores", (count,), DType.F32)
    most = constant("most", int(rng.integers(1, count + 5)))
    limits = [_number("overlap", rng.uniform(0.05, 1)), _number("least", rng.uniform(0, 0.7))]
    others = [Tensor("count", (), DType.S32)]
    if code.endswith("V5"):
        limits.append(_number("sigma", rng.choice([0.0, 0.3, 1.0]) if dtype is DType.F32 else 0.0))
        others.insert(0, Tensor("kept", (), DType.F32))
    drawn = case(code, rng, (boxes, scores, most, *limits), Tensor("y", (), DType.S32), others=others)
    return replace(drawn, values=(drawn_boxes(count, rng), drawn_scores((count,), rng)))


def _detection(code: str, dtype: DType, rng: Rng) -> Case:
    """Anchors all over, codes that move them little; floats whatever `dtype` is."""
    count, classes, background = int(rng.integers(1, 50)), int(rng.integers(1, 5)), int(rng.integers(0, 2))
    anchors = np.concatenate([rng.random((count, 2)), rng.uniform(0.1, 0.5, (count, 2))], axis=1).astype(np.float32)
    inputs = (
        Tensor("codes", (1, count, int(rng.choice([4, 4, 6]))), DType.F32),
        Tensor("scores", (1, count, classes + background), DType.F32),
        Tensor("anchors", (count, 4), DType.F32, None, anchors),
    )
    options = {
        "max_detections": int(rng.integers(1, 12)),
        "max_classes_per_detection": 1,
        "detections_per_class": int(rng.integers(1, 20)),
        "use_regular_nms": bool(rng.integers(0, 2)),
        "nms_score_threshold": float(np.float32(rng.uniform(0, 0.7))),
        "nms_iou_threshold": float(np.float32(rng.uniform(0.1, 0.9))),
        "num_classes": classes,
        **dict(zip(("y_scale", "x_scale", "h_scale", "w_scale"), (10.0, 8.0, 5.0, 4.0), strict=True)),
    }
    others = [Tensor(name, (), DType.F32) for name in ("classes", "kept", "count")]
    drawn = case(code, rng, inputs, Tensor("y", (), DType.F32), options, others=others)
    codes = rng.normal(0, 2, inputs[0].shape).astype(np.float32)
    return replace(drawn, values=(codes, drawn_scores(inputs[1].shape, rng)))


DETECTION = "TFLite_Detection_PostProcess"
DRAWS: Mapping[str, Callable[[str, DType, Rng], Case]] = {
    DETECTION: _detection,
    "NON_MAX_SUPPRESSION_V4": _suppression,
    "NON_MAX_SUPPRESSION_V5": _suppression,
}
