"""NON_MAX_SUPPRESSION_V4 and _V5: of boxes of one class that overlap the best is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.numerics.suppression import Suppression, suppress
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.tflite_writing import written
from midge.ops.types import type_reason


@dataclass(frozen=True, kw_only=True)
class NonMaxSuppressionV5(Op):
    """inputs: boxes (N, 4) of opposite corners, scores (N).

    outputs: which boxes are kept (`most`), best first; their scores (V5 alone); how many they are. The rest are 0. Of
    equal scores the first box comes first, which TFLite leaves open; a box without an area is kept once, which TFLite
    lists again and again. V5's `how.sigma` lowers the scores of boxes that overlap.
    """

    most: int
    how: Suppression

    family: ClassVar[str] = "suppression"

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """Room for as many as there can be, and the count."""
        boxes, scores = (t.shape for t in inputs)
        if len(scores) != 1 or boxes != (scores[0], 4):
            raise ValueError(f"boxes of the shape {boxes} and scores of {scores}")
        if self.most < 1 or len(self.outputs) not in (2, 3):
            raise ValueError(f"{self.most} boxes in {len(self.outputs)} outputs")
        return (*((self.most,),) * (len(self.outputs) - 1), ())

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float; indices and count are int32."""
        wanted = [DType.F32, DType.F32, DType.S32, *[DType.F32] * (len(outputs) - 2), DType.S32]
        tensors = (*inputs, *outputs)
        return "" if [t.dtype for t in tensors] == wanted else type_reason(tensors)

    def stays_float(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> bool:
        """Its boxes are compared as floats."""
        return True

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Best first."""
        found, scores = suppress(values[0], values[1], self.most, self.how)
        padding = (0, self.most - len(found))
        kept = [np.pad(scores, padding)] if len(outputs) == 3 else []
        return [np.pad(found, padding).astype(np.int32), *kept, np.array(len(found), np.int32)]


def from_tflite(op: SourceOp) -> NonMaxSuppressionV5:
    """Reads a TFLite NON_MAX_SUPPRESSION_V4 or V5; all but boxes and scores must be constant."""
    op.input_names(5, 6)
    numbers = [float(op.constant(i).reshape(-1)[0]) for i in range(2, len(op.inputs))]
    if not np.isfinite(numbers).all():
        raise UnsupportedOp("a threshold that is no number", "the file is damaged: export it again")
    most, overlap, least, *sigma = numbers
    how = Suppression(overlap, least, strict=True, sigma=sigma[0] if sigma else 0.0)
    inputs = (op.tensor(0).name, op.tensor(1).name)
    return NonMaxSuppressionV5(name=op.name, inputs=inputs, outputs=op.output_names, most=int(most), how=how)


TFLITE = {"NON_MAX_SUPPRESSION_V4": from_tflite, "NON_MAX_SUPPRESSION_V5": from_tflite}


def to_tflite(op: NonMaxSuppressionV5, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite NON_MAX_SUPPRESSION_V4, or V5 where scores are asked for."""
    given: list[tuple[str, float, DType]] = [
        ("most", op.most, DType.S32),
        ("overlap", op.how.overlap, DType.F32),
        ("least", op.how.least, DType.F32),
    ]
    given += [("sigma", op.how.sigma, DType.F32)] if len(outputs) == 3 else []
    constants = [Tensor(f"{op.name}/{role}", (), t, None, np.array(v, t.numpy)) for role, v, t in given]
    return written(op, f"NON_MAX_SUPPRESSION_V{len(outputs) + 2}", [*inputs, *constants], outputs)
