"""RESIZE_NEAREST_NEIGHBOR: another height and width, each pixel a copy of the nearest one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array, Tensor
from midge.ops.families.move import Move
from midge.ops.families.resize import Resize, resize_reader, written_resize
from midge.ops.formats import SourceOp
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class ResizeNearestNeighbor(Resize, Move):
    """inputs: x (N, H, W, C). `size`: (height, width) of the output."""

    def scales_through(self, inputs: Sequence[Tensor]) -> bool:
        """It does."""
        return True

    def moved(self, x: Array, fill: int) -> Sequence[Array]:
        """The nearest row and column of each."""
        rows, columns = (self._nearest(n, m) for n, m in zip(x.shape[1:3], self.size, strict=True))
        return (x[:, rows][:, :, columns],)

    def _nearest(self, size: int, output: int) -> Array:
        """Source: GetNearestNeighbor in tensorflow/lite/kernels/internal/reference/resize_nearest_neighbor.h."""
        if self.align_corners and output > 1:
            scale = np.float32(size - 1) / np.float32(output - 1)
        else:
            scale = np.float32(size) / np.float32(output)
        place = (np.arange(output, dtype=np.float32) + np.float32(0.5 * self.half_pixel_centers)) * scale
        nearest: Array = np.floor(place.astype(np.float64) + 0.5 * self.align_corners)
        return np.clip(nearest, 0, size - 1).astype(np.intp)


TFLITE = {"RESIZE_NEAREST_NEIGHBOR": resize_reader(ResizeNearestNeighbor)}
from_uint8 = as_int8


def to_tflite(op: ResizeNearestNeighbor, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite RESIZE_NEAREST_NEIGHBOR."""
    return written_resize(op, "RESIZE_NEAREST_NEIGHBOR", inputs, outputs)
