"""TFLite_Detection_PostProcess for every core.

Scratch memory holds a score for each box, and the indices of those that are chosen; boxes are decoded when they are
compared, which takes far less memory than all of them.
"""

from __future__ import annotations

from typing import cast

from midge.kernels.literals import constant_data
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.ops.detection_postprocess import DetectionPostprocess


def bind(layer: Layer) -> Binding:
    """Sizes, thresholds, scales and the anchors."""
    op = cast(DetectionPostprocess, layer.op)
    codes, scores, anchors = layer.inputs
    params: dict[str, object] = {
        "boxes": codes.shape[1],
        "depth": codes.shape[2],
        "classes": op.classes,
        "row": scores.shape[2],
        "first": scores.shape[2] - op.classes,
        "most": op.most,
        "class_most": _chosen(layer),
        "by_class": op.by_class,
        "overlap": op.how.overlap,
        "least": op.how.least,
        "scales": op.scales,
    }
    return Binding(params, (Constant("anchors", "float", constant_data(anchors)),))


def scratch_bytes(layer: Layer) -> int:
    """Four bytes for each box and for each that may be chosen."""
    return 4 * (layer.inputs[0].shape[1] + _chosen(layer))


def _chosen(layer: Layer) -> int:
    """How many boxes one suppression may choose."""
    op = cast(DetectionPostprocess, layer.op)
    return min(op.class_most if op.by_class else op.most, layer.inputs[0].shape[1])


VARIANT = Variant(__name__, fits=lambda layer: layer.inputs[2].is_constant, bind=bind, scratch_bytes=scratch_bytes)
