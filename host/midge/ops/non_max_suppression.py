"""ONNX's NonMaxSuppression: of boxes that overlap the best is kept, for each class of each batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.numerics.suppression import Suppression, suppress
from midge.ops.formats import UnsupportedOp
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.types import type_reason


@dataclass(frozen=True, kw_only=True)
class NonMaxSuppression(Op):
    """inputs: boxes (batches, N, 4), scores (batches, classes, N).

    The output has batches * classes * min(`most`, N) rows of (batch, class, box), in that order and best boxes first;
    those that are not needed are -1, so that the rows that are not are the count. `centered`: boxes are
    (x, y, width, height) around their middle, not two corners.
    """

    most: int
    how: Suppression
    centered: bool

    family: ClassVar[str] = "suppression"

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """As many rows as there can be."""
        boxes, scores = (t.shape for t in inputs)
        if len(boxes) != 3 or len(scores) != 3 or boxes != (scores[0], scores[2], 4):
            raise ValueError(f"boxes of the shape {boxes} and scores of {scores}")
        return ((scores[0] * scores[1] * min(self.most, scores[2]), 3),)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float to int32."""
        tensors = (*inputs, *outputs)
        return "" if [t.dtype for t in tensors] == [DType.F32, DType.F32, DType.S32] else type_reason(tensors)

    def stays_float(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> bool:
        """Its boxes are compared as floats."""
        return True

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Class by class."""
        boxes, scores = values
        rows = np.full(outputs[0].shape, -1, np.int32)
        count = 0
        for batch, kind in np.ndindex(*scores.shape[:2]):
            found, _ = suppress(self.corners(boxes[batch]), scores[batch, kind], self.most, self.how)
            rows[count : count + len(found)] = [(batch, kind, box) for box in found] or np.zeros((0, 3))
            count += len(found)
        return [rows]

    def corners(self, boxes: Array) -> Array:
        """Boxes (N, 4) as opposite corners."""
        if not self.centered:
            return boxes
        middle, half = boxes[:, :2], boxes[:, 2:] / np.float32(2)
        return np.concatenate([middle - half, middle + half], axis=1)


def from_onnx(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX NonMaxSuppression; all but boxes and scores must be constant."""
    most = _number(node, 2, 0.0)
    if most < 1:
        raise UnsupportedOp("it keeps no box: max_output_boxes_per_class is 0", "export the model with a larger one")
    how = Suppression(_number(node, 3, 0.0), _number(node, 4, -float(np.finfo(np.float32).max)))
    centered = bool(node.attributes.get("center_point_box", 0))
    inputs, most = [node.tensor(0), node.tensor(1)], min(int(most), 1 << 20)
    return [node.add(NonMaxSuppression, inputs, "", dtype=DType.S32, most=most, how=how, centered=centered)]


def _number(node: OnnxNode, index: int, default: float) -> float:
    if node.optional(index) is None:
        return default
    values = node.constant(index).reshape(-1)
    if values.size != 1 or not np.isfinite(values).all():
        raise UnsupportedOp(f"input {index} is no number", "the file is damaged: export it again")
    return float(np.float32(values[0]))


ONNX = {"NonMaxSuppression": from_onnx}
