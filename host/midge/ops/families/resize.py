"""Images of another size: what the ways to find their pixels share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from midge.ir.channels import Ties
from midge.ir.graph import Op, tie_elementwise
from midge.ir.tensor import Shape, Tensor
from midge.ops.formats import SourceOp
from midge.ops.tflite_writing import integers, written


@dataclass(frozen=True, kw_only=True)
class Resize(Op):
    """inputs: x (N, H, W, C). `size`: (height, width) of the output."""

    size: tuple[int, int]
    align_corners: bool
    half_pixel_centers: bool

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """Batch and channels stay."""
        n, _, _, channels = inputs[0].shape
        if min(self.size) < 1:
            raise ValueError(f"size {self.size}")
        return ((n, *self.size, channels),)

    def ties(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Ties:
        """Channel by channel."""
        return tie_elementwise(inputs, outputs)


def resize_reader(kind: type[Resize]) -> Callable[[SourceOp], Resize]:
    """Reads TensorFlow Lite's operator; the size must be constant."""

    def read(op: SourceOp) -> Resize:
        height, width = (int(n) for n in op.constant(1).reshape(-1))
        return kind(
            name=op.name,
            inputs=(op.tensor(0, 4).name,),
            outputs=op.output_names,
            size=(height, width),
            align_corners=bool(op.attributes.get("AlignCorners", False)),
            half_pixel_centers=bool(op.attributes.get("HalfPixelCenters", False)),
        )

    return read


def written_resize(op: Resize, code: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """TensorFlow Lite's operator of that code."""
    options = {"AlignCorners": op.align_corners, "HalfPixelCenters": op.half_pixel_centers}
    return written(op, code, [*inputs, integers(op, "size", op.size)], outputs, **options)
