"""RESIZE_BILINEAR: another height and width, each pixel between the four nearest ones by its distance from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.graph import OutputQuant
from midge.ir.tensor import QUANTIZED, Array, DType, Tensor
from midge.numerics.fixed_point import divide_half_away
from midge.ops.families.resize import Resize, resize_reader, written_resize
from midge.ops.formats import SourceOp
from midge.ops.types import check_same_quant

# The fixed point of distances between two pixels.
BITS = 10


@dataclass(frozen=True, kw_only=True)
class ResizeBilinear(Resize):
    """inputs: x (N, H, W, C). `size`: (height, width) of the output."""

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, or int8 or int16 with equal scales."""
        return check_same_quant(inputs, outputs, QUANTIZED)

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """The input's."""
        return "same"

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Floats: in float64. Integers: raw values with distances in 1/1024, rounded once, halves away from zero."""
        (x,), is_float = values, outputs[0].dtype is DType.F32
        rows, columns = (self.neighbors(axis, inputs[0], is_float) for axis in (0, 1))
        one = 1 if is_float else 1 << BITS
        wide = x.astype(np.float64 if is_float else np.int64)
        down, along = rows.part.astype(wide.dtype)[:, None, None], columns.part.astype(wide.dtype)[:, None]
        tall = wide[:, rows.low] * (one - down) + wide[:, rows.high] * down
        sums = tall[:, :, columns.low] * (one - along) + tall[:, :, columns.high] * along
        return [sums.astype(np.float32) if is_float else divide_half_away(sums, one * one).astype(x.dtype)]

    def neighbors(self, axis: int, x: Tensor, is_float: bool) -> Neighbors:
        """The neighbors of each row (axis 0) or column (1) of the output.

        Source: ComputeInterpolationValues in tensorflow/lite/kernels/internal/reference/resize_bilinear.h.
        """
        size, out = x.shape[1 + axis], self.size[axis]
        aligned = self.align_corners and out > 1
        steps, parts = (size - 1, out - 1) if aligned else (size, out)
        if is_float:
            scale, half = np.float32(steps) / np.float32(parts), np.float32(0.5 * self.half_pixel_centers)
            place = (np.arange(out, dtype=np.float32) + half) * scale - half
            low = np.maximum(np.floor(place), 0).astype(np.int64)
            high = np.minimum(np.ceil(place), size - 1).astype(np.int64)
            return Neighbors(low, np.maximum(high, 0), place - low.astype(np.float32))
        one = 1 << BITS
        fixed = (one * steps + parts // 2) // parts
        places = np.arange(out) * fixed + (fixed // 2 - one // 2 if self.half_pixel_centers else 0)
        low = np.maximum(places, 0) // one
        high = np.clip((places + one - 1) // one, 0, size - 1)
        return Neighbors(np.minimum(low, size - 1), high, places - one * low)


@dataclass(frozen=True, eq=False)
class Neighbors:
    """For each row or column: the one before, the one behind, and how much of the way it is between them."""

    low: Array
    high: Array
    part: Array


TFLITE = {"RESIZE_BILINEAR": resize_reader(ResizeBilinear)}


def to_tflite(op: ResizeBilinear, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite RESIZE_BILINEAR."""
    return written_resize(op, "RESIZE_BILINEAR", inputs, outputs)
