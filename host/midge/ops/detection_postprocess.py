"""TFLite_Detection_PostProcess: a detector's boxes are decoded, and of those that overlap the best are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.numerics.suppression import Suppression, suppress
from midge.ops.dequantize import Dequantize
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.types import type_reason
from midge.ops.uint8 import Symmetric

_DAMAGED = "the file is damaged: export it again"
_CLASS_DETECTIONS = 100


@dataclass(frozen=True, kw_only=True)
class DetectionPostprocess(Op):
    """inputs: codes (1, N, 4 or more), scores (1, N, classes or one more), anchors (N, 4), which are constant.

    outputs: boxes (1, `most`, 4) as y1, x1, y2, x2, their classes and scores (1, `most`), and their count (1), all
    float; what lies beyond the count is 0. y = code / scale * height + y of the anchor, height = e^(code / scale) *
    height of the anchor, x and width alike; `scales` are those of y, x, h, w. Each box counts with its best class, or
    `by_class` with all of them, `class_most` boxes of each at most. A first class beyond `classes` is the background.
    """

    most: int
    class_most: int
    classes: int
    by_class: bool
    how: Suppression
    scales: tuple[float, float, float, float]

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """Room for `most` boxes."""
        codes, scores, anchors = (t.shape for t in inputs)
        if len(codes) != 3 or len(scores) != 3 or anchors != (codes[1], 4) or codes[0] != 1 or codes[2] < 4:
            raise ValueError(f"codes of the shape {codes} and anchors of {anchors}")
        if scores[:2] != codes[:2] or scores[2] - self.classes not in (0, 1):
            raise ValueError(f"scores of the shape {scores} for {codes[1]} boxes and {self.classes} classes")
        return ((1, self.most, 4), (1, self.most), (1, self.most), (1,))

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float; from uint8 codes and scores too, which are dequantized first."""
        if any(t.dtype is not DType.F32 for t in (*inputs, *outputs)):
            return type_reason((*inputs, *outputs))
        return "" if inputs[2].is_constant else "anchors that are computed at run time"

    def stays_float(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> bool:
        """Its boxes are decoded and compared as floats."""
        return True

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Best first; of equal scores the first class, and of that the first box."""
        codes, scores, anchors = values
        boxes = self.decoded(codes[0], anchors)
        own = scores[0, :, scores.shape[2] - self.classes :]
        own = np.where(np.isnan(own), -np.inf, own)
        found = self._of_each_class(boxes, own) if self.by_class else self._of_best_class(boxes, own)
        results = [np.zeros(t.shape, np.float32) for t in outputs]
        for place, (score, kind, box) in enumerate(found):
            results[0][0, place], results[1][0, place], results[2][0, place] = boxes[box], kind, score
        results[3][0] = len(found)
        return results

    def decoded(self, codes: Array, anchors: Array) -> Array:
        """The corners (N, 4) of all boxes, every step in float32."""
        scales = np.array(self.scales, np.float32)
        with np.errstate(all="ignore"):
            middle = codes[:, :2] / scales[:2] * anchors[:, 2:] + anchors[:, :2]
            half = np.float32(0.5) * np.exp(codes[:, 2:4] / scales[2:]) * anchors[:, 2:]
        return np.concatenate([middle - half, middle + half], axis=1)

    def _of_best_class(self, boxes: Array, scores: Array) -> list[tuple[float, int, int]]:
        kinds = scores.argmax(axis=1)
        found, kept = suppress(boxes, scores.max(axis=1), self.most, self.how)
        return [(float(score), int(kinds[box]), int(box)) for score, box in zip(kept, found, strict=True)]

    def _of_each_class(self, boxes: Array, scores: Array) -> list[tuple[float, int, int]]:
        every: list[tuple[float, int, int]] = []
        for kind in range(self.classes):
            found, kept = suppress(boxes, scores[:, kind], self.class_most, self.how)
            every += [(float(score), kind, int(box)) for score, box in zip(kept, found, strict=True)]
        return sorted(every, key=lambda item: -item[0])[: self.most]


def from_tflite(op: SourceOp) -> DetectionPostprocess:
    """Reads TFLite's custom operator. One class for each box, or all: of several at once it writes past its outputs."""
    by_class = bool(op.attributes.get("use_regular_nms", False))
    if not by_class and int(op.attribute("max_classes_per_detection")) != 1:
        raise UnsupportedOp("several classes for each detection", "export with max_classes_per_detection = 1")
    most, classes = int(op.attribute("max_detections")), int(op.attribute("num_classes"))
    class_most = int(op.attributes.get("detections_per_class", _CLASS_DETECTIONS))
    scales = tuple(float(np.float32(op.attribute(f"{axis}_scale"))) for axis in "yxhw")
    overlap, least = (float(np.float32(op.attribute(f"nms_{what}_threshold"))) for what in ("iou", "score"))
    if min(most, classes, class_most) < 1 or max(most, classes, class_most) > 1 << 16 or 0.0 in scales:
        raise UnsupportedOp(f"{most} detections of {classes} classes, scaled by {scales}", _DAMAGED)
    op.constant(2)
    return DetectionPostprocess(
        name=op.name,
        inputs=op.input_names(3, 3),
        outputs=op.output_names,
        most=most,
        class_most=class_most,
        classes=classes,
        by_class=by_class,
        how=Suppression(overlap, least, at_least=True),
        scales=(scales[0], scales[1], scales[2], scales[3]),
    )


def from_uint8(op: DetectionPostprocess, known: Mapping[str, Tensor]) -> Symmetric:
    """Integers are dequantized first, as TFLite's kernel does."""
    before, made, names = [], [], []
    for name in op.inputs:
        x = known[name]
        if x.dtype is not DType.S8:
            names.append(name)
            continue
        found = Tensor(f"{op.name}/{name}/float", x.shape, DType.F32)
        dequantize = Dequantize(name=found.name, inputs=(name,), outputs=(found.name,))
        if x.data is None:
            before.append(dequantize)
        else:
            found = replace(found, data=dequantize.evaluate([x], [found], [x.data])[0])
        made.append(found)
        names.append(found.name)
    return Symmetric(replace(op, inputs=tuple(names)), tuple(before), tuple(made))


TFLITE = {"TFLite_Detection_PostProcess": from_tflite}


def to_tflite(op: DetectionPostprocess, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes TFLite's custom operator."""
    options = {
        "max_detections": op.most,
        "max_classes_per_detection": 1,
        "detections_per_class": op.class_most,
        "use_regular_nms": op.by_class,
        "nms_score_threshold": op.how.least,
        "nms_iou_threshold": op.how.overlap,
        "num_classes": op.classes,
        **{f"{axis}_scale": scale for axis, scale in zip("yxhw", op.scales, strict=True)},
    }
    return [SourceOp("TFLite_Detection_PostProcess", op.name, tuple(inputs), tuple(outputs), options)]
