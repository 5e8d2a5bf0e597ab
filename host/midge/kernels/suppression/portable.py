"""Non-maximum suppression as ONNX and as TFLite say it, for every core.

Scratch memory holds a score for each box, and where scores are lowered which chosen boxes each has met.
"""

from __future__ import annotations

from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.non_max_suppression import NonMaxSuppression
from midge.ops.non_max_suppression_v5 import NonMaxSuppressionV5


def fits(layer: Layer) -> bool:
    """All of them."""
    return isinstance(layer.op, NonMaxSuppression | NonMaxSuppressionV5)


def bind(layer: Layer) -> Binding:
    """Sizes and thresholds."""
    op = layer.op
    assert isinstance(op, NonMaxSuppression | NonMaxSuppressionV5)
    scores = layer.inputs[1].shape
    params: dict[str, object] = {
        "by_class": isinstance(op, NonMaxSuppression),
        "centered": isinstance(op, NonMaxSuppression) and op.centered,
        "batches": scores[0] if len(scores) > 1 else 1,
        "classes": scores[1] if len(scores) > 1 else 1,
        "boxes": scores[-1],
        "most": op.most,
        "has_scores": len(layer.outputs) == 3,
        "overlap": op.how.overlap,
        "least": op.how.least,
        "factor": -0.5 / op.how.sigma if op.how.sigma > 0 else 0.0,
        "strict": int(op.how.strict),
    }
    return Binding(params)


def scratch_bytes(layer: Layer) -> int:
    """Four bytes for each box, eight where scores are lowered."""
    how = layer.op.how  # type: ignore[attr-defined]
    return layer.inputs[1].shape[-1] * (8 if how.sigma > 0 else 4)


VARIANT = Variant(__name__, fits=fits, bind=bind, scratch_bytes=scratch_bytes)
