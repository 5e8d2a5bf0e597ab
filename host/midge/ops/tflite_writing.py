"""The words that operators share when they are written as TFLite's: the other direction of midge.ops.formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

import numpy as np

from midge.ir.graph import Clamp, Op, Padding
from midge.ir.tensor import Array, DType, Tensor
from midge.numerics.fixed_point import integer_clamp
from midge.ops.formats import TFLITE_CLAMPS, SourceOp, UnsupportedOp, same_padding

TFLiteWriter = Callable[[Any, Sequence[Tensor], Sequence[Tensor]], list[SourceOp]]

_NONE: Padding = ((0, 0), (0, 0))


def written(
    op: Op, code: str, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor], **attributes: Any
) -> list[SourceOp]:
    """`op` as the one operator `code`, with TFLite's own names of its attributes."""
    return [SourceOp(code, op.name, tuple(inputs), tuple(outputs), attributes)]


def integers(op: Op, what: str, values: Any) -> Tensor:
    """A constant of int32 that an operator wants as an input where midge has a field."""
    data = np.asarray(values, np.int32)
    return Tensor(f"{op.name}/{what}", data.shape, DType.S32, None, data)


def with_activation(op: Any, code: str, inputs: Sequence[Tensor], output: Tensor, **attributes: Any) -> list[SourceOp]:
    """`op` as `code` with its clamp fused; bounds that TFLite has no name for become MAXIMUM and MINIMUM behind it."""
    if any(t.quant and t.quant.axis is None and float(np.float32(t.q.scale)) != t.q.scale for t in inputs):
        raise UnsupportedOp("it scales as uint8 models do", "quantize the float model with midge instead")
    for number, clamp in TFLITE_CLAMPS.items():
        if clamp == op.clamp or _alike(clamp, op.clamp, output):
            return written(op, code, inputs, [output], FusedActivationFunction=number, **attributes)
    bounds = [(c, b) for c, b in zip(("MAXIMUM", "MINIMUM"), op.clamp, strict=True) if isfinite(b)]
    steps = [replace(output, name=f"{output.name}/before_{c.lower()}") for c, _ in bounds]
    ops = written(op, code, inputs, steps[:1], FusedActivationFunction=0, **attributes)
    for (kind, bound), x, y in zip(bounds, steps, [*steps[1:], output], strict=True):
        limit = Tensor(f"{op.name}/{kind.lower()}", (), output.dtype, output.quant, _bound(bound, output))
        ops.append(SourceOp(kind, f"{op.name}/{kind.lower()}", (x, limit), (y,), {}))
    return ops


def _alike(one: Clamp, other: Clamp, output: Tensor) -> bool:
    """Whether two clamps keep the same integers."""
    if output.dtype is DType.F32:
        return False
    return integer_clamp(one, output.q, output.dtype) == integer_clamp(other, output.q, output.dtype)


def _bound(bound: float, output: Tensor) -> Array:
    if output.dtype is DType.F32:
        return np.array(bound, np.float32)
    low, high = integer_clamp((bound, bound), output.q, output.dtype)
    return np.array(low if low == high else bound, output.dtype.numpy)


def with_padding(
    op: Any, x: Tensor, kernel: tuple[int, int], dilation: tuple[int, int]
) -> tuple[list[SourceOp], Tensor, int]:
    """The padding of a window: operators before it, what the window then reads, and VALID (1) or SAME (0)."""
    if op.padding == _NONE:
        return [], x, 1
    if op.padding == same_padding(x, kernel, op.stride, dilation):
        return [], x, 0
    pairs = ((0, 0), *op.padding, (0, 0))
    shape = tuple(before + n + after for n, (before, after) in zip(x.shape, pairs, strict=True))
    padded = replace(x, name=f"{op.name}/padded", shape=shape)
    return [SourceOp("PAD", f"{op.name}/pad", (x, integers(op, "paddings", pairs)), (padded,), {})], padded, 1


def strides(op: Any) -> dict[str, int]:
    """The options StrideH and StrideW."""
    return {"StrideH": op.stride[0], "StrideW": op.stride[1]}


def window(op: Any) -> dict[str, int]:
    """The options of a convolution's window."""
    return {**strides(op), "DilationHFactor": op.dilation[0], "DilationWFactor": op.dilation[1]}


def pool_padding(op: Any, x: Tensor) -> int:
    """SAME (0) or VALID (1) of a pool. Raises UnsupportedOp for any other padding, which TFLite's pools have not."""
    if op.padding == _NONE:
        return 1
    if op.padding == same_padding(x, op.kernel, op.stride, (1, 1)):
        return 0
    raise UnsupportedOp(f"a pool with the padding {op.padding}", "pad as TensorFlow's SAME or VALID does")
