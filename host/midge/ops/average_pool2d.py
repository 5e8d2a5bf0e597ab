"""AVERAGE_POOL_2D: the mean of each window, padding not counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import QUANTIZED, Array, DType, Tensor
from midge.numerics.fixed_point import divide_half_away, integer_clamp
from midge.numerics.windows import gathered, windows
from midge.ops.families.pool import Pool, pool_reader, written_pool
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.onnx_windows import channels_first, channels_last, onnx_window
from midge.ops.pad import Pad
from midge.ops.types import check_same_quant
from midge.ops.uint8 import Symmetric


@dataclass(frozen=True, kw_only=True)
class AveragePool2D(Pool):
    """inputs: x (N, H, W, C). Input and output have one quantization.

    `halves_up`: integers round as TFLite's uint8 do, halves up; else away from zero.
    """

    halves_up: bool = False

    rounds_from_zero: ClassVar[bool] = True

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, or int8 or int16 with equal scales."""
        return check_same_quant(inputs, outputs, (DType.S8,) if self.halves_up else QUANTIZED)

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Integers: the sum of raw values, divided by the count with halves away from zero, then clamped.

        Floats: in float32, one tap after the other, as the kernel does: what follows may round to integers.
        Source: AveragePool in tensorflow/lite/kernels/internal/reference/integer_ops/pooling.h.
        """
        (x,) = values
        is_float = outputs[0].dtype is DType.F32
        sums = self._window_sums(x if is_float else x.astype(np.int64))
        counts = self._window_sums(np.ones((1, *x.shape[1:3], 1), np.int64))
        if is_float:
            return [np.clip(sums / counts.astype(np.float32), *self.clamp).astype(np.float32)]
        low, high = integer_clamp(self.clamp, outputs[0].q, outputs[0].dtype)
        # As the unsigned values they were: of positive sums, away from zero is up.
        lift = 128 if self.halves_up else 0
        averages = divide_half_away(sums + lift * counts, counts) - lift
        return [np.clip(averages, low, high).astype(outputs[0].dtype.numpy)]

    def pull_back(self, values: Sequence[Array], results: Sequence[Array], gradient: Array) -> Array | None:
        """An equal share to all that were averaged, unless the clamp holds."""
        counts = self._window_sums(np.ones((1, *values[0].shape[1:3], 1), np.float32))
        free = (results[0] > self.clamp[0]) & (results[0] < self.clamp[1])
        shares = (gradient * free / counts).astype(gradient.dtype)[:, :, :, None, None]
        parts = np.broadcast_to(shares, (*shares.shape[:3], *self.kernel, shares.shape[-1]))
        return gathered(parts, values[0].shape, self.kernel, self.stride, (1, 1), self.padding)

    def _window_sums(self, x: Array) -> Array:
        taps = windows(x, self.kernel, self.stride, (1, 1), self.padding, 0)
        sums = np.zeros_like(taps[:, :, :, 0, 0])
        for i in range(taps.shape[3]):
            for j in range(taps.shape[4]):
                sums += taps[:, :, :, i, j]
        return sums


TFLITE = {"AVERAGE_POOL_2D": pool_reader(AveragePool2D)}


def from_uint8(op: AveragePool2D, known: Mapping[str, Tensor]) -> Symmetric:
    """Averages round halves up on unsigned values."""
    return Symmetric(replace(op, halves_up=True), (), ())


def to_tflite(op: AveragePool2D, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite AVERAGE_POOL_2D."""
    if op.halves_up:
        raise UnsupportedOp("it rounds halves up, as uint8 models do", "quantize the float model with midge instead")
    return written_pool(op, "AVERAGE_POOL_2D", inputs, outputs[0])


def from_onnx(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX AveragePool; padding that counts becomes zeros of its own, what ceil_mode adds never counts."""
    x = node.tensor(0)
    window = onnx_window(node, x, node.integers("kernel_shape", ()))
    if window.dilation != (1, 1):
        raise UnsupportedOp(f"dilations {window.dilation}", "pool without dilation")
    last, padding = channels_last(node, x), window.whole_padding
    if node.attributes.get("count_include_pad", 0) and any(map(any, window.padding)):
        last = node.add(Pad, [last], "pad", paddings=((0, 0), *window.padding, (0, 0)))
        padding = ((0, window.ceil_extra[0]), (0, window.ceil_extra[1]))
    fields: dict[str, Any] = {"kernel": window.kernel, "stride": window.stride, "padding": padding, "clamp": NO_CLAMP}
    return [channels_first(node, node.add(AveragePool2D, [last], "", **fields), len(x.shape))]


ONNX = {"AveragePool": from_onnx}
