"""Functions of two values, element by element, shapes broadcast as in numpy: each states its arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import log2
from typing import ClassVar

import numpy as np

from midge.ir.channels import Range
from midge.ir.graph import Clamp, Op
from midge.ir.tensor import QUANTIZED, Array, DType, Shape, Tensor
from midge.ops.formats import SourceOp, UnsupportedOp, tflite_clamp
from midge.ops.tflite_writing import TFLiteWriter, with_activation
from midge.ops.types import broadcast_shape, check_same_quant, check_same_type, reason_why_not, type_reason


@dataclass(frozen=True, kw_only=True)
class Binary(Op):
    """inputs: x and y, at most one of them constant."""

    is_elementwise: ClassVar[bool] = True
    # The types that the integer form is for.
    quantized: ClassVar[Collection[DType]] = (DType.S8,)
    # Whether int32 values without a scale can be computed too, by `whole`.
    has_whole: ClassVar[bool] = False

    def real(self, x: Array, y: Array) -> Array:
        """The function of floats."""
        raise NotImplementedError

    def parameters(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> object:
        """The integers of the quantized form. Raises ValueError for scales that cannot be."""
        raise NotImplementedError

    def integers(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], x: Array, y: Array) -> Array:
        """The function of quantized values, as wide as it comes; saturated where the output holds less."""
        raise NotImplementedError

    def whole(self, x: Array, y: Array) -> Array:
        """The function of whole numbers without a scale, int64 that hold int32; only the low 32 bits count."""
        return self.real(x, y)

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """The broadcast shape."""
        return (broadcast_shape(inputs),)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, or quantized with scales that the arithmetic can do."""
        if self.has_whole and is_whole(inputs, outputs):
            return ""
        reason = check_same_type(inputs, outputs, self.quantized)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        return reason_why_not(lambda: self.parameters(inputs, outputs))

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """The function of floats, or of integers; int32 keeps the low bits, as in C."""
        x, y = values
        dtype = outputs[0].dtype
        if dtype is DType.F32:
            with np.errstate(all="ignore"):
                return [np.asarray(self.real(x, y), np.float32)]
        if dtype is DType.S32:
            with np.errstate(over="ignore"):
                return [np.asarray(self.whole(x.astype(np.int64), y.astype(np.int64))).astype(np.int32)]
        return [np.clip(self.integers(inputs, outputs, x, y), *dtype.limits).astype(dtype.numpy)]


@dataclass(frozen=True, kw_only=True)
class Clamped(Binary):
    """A function of two values with a fused activation."""

    clamp: Clamp

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """The function, clamped; the quantized integers know of the clamp."""
        results = super().evaluate(inputs, outputs, values)
        if outputs[0].dtype is DType.F32:
            return [np.clip(r, *self.clamp) for r in results]
        return [np.clip(r, *whole_clamp(self.clamp)) for r in results] if outputs[0].dtype is DType.S32 else results


@dataclass(frozen=True, kw_only=True)
class Chosen(Binary):
    """inputs: x and y, at most one of them constant. `chosen` is numpy's name of how one of two is chosen."""

    inputs_share_quant: ClassVar[bool] = True
    family: ClassVar[str] = "binary"
    has_whole: ClassVar[bool] = True
    chosen: ClassVar[str]

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, int32, or int8 or int16 with equal scales: TFLite's kernel compares the raw values."""
        if is_whole(inputs, outputs):
            return ""
        return check_same_quant(inputs, outputs, QUANTIZED)

    def real(self, x: Array, y: Array) -> Array:
        """The one of both."""
        found: Array = getattr(np, self.chosen)(x, y)
        return found

    def integers(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], x: Array, y: Array) -> Array:
        """The one of both raw values."""
        return self.real(x, y)

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """Both ends grow with both operands."""
        (x_low, x_high), (y_low, y_high) = ranges
        return ((self.real(x_low, y_low), self.real(x_high, y_high)),)


def whole_clamp(clamp: Clamp) -> tuple[int, int]:
    """The bounds of int32 without a scale; those of a fused activation are whole."""
    low, high = DType.S32.limits
    return max(low, int(max(clamp[0], low))), min(high, int(min(clamp[1], high)))


@dataclass(frozen=True, kw_only=True)
class WholeBinary(Binary):
    """inputs: x and y, at most one of them constant. What is divided by 0 gives 0."""

    family: ClassVar[str] = "binary"
    has_whole: ClassVar[bool] = True
    quantized: ClassVar[Collection[DType]] = ()

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Int32 without a scale."""
        return "" if is_whole(inputs, outputs) else type_reason((*inputs, *outputs))


def is_whole(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> bool:
    """Whether all are int32, which has no scale."""
    return all(t.dtype is DType.S32 for t in (*inputs, *outputs))


def binary_reader(kind: type[Binary]) -> Callable[[SourceOp], Binary]:
    """Reads an operator that has two inputs and no options."""
    return lambda op: kind(name=op.name, inputs=op.input_names(2, 2), outputs=op.output_names)


def clamped_reader(kind: type[Clamped]) -> Callable[[SourceOp], Clamped]:
    """Reads an operator that has two inputs and a fused activation."""
    return lambda op: kind(name=op.name, inputs=op.input_names(2, 2), outputs=op.output_names, clamp=tflite_clamp(op))


def refuse_powers_of_two(op: SourceOp) -> None:
    """Old int16 sums, whose scales are powers of two, shift by whole bits: another arithmetic.

    Raises UnsupportedOp for them. Source: Prepare in tensorflow/lite/kernels/add.cc.
    """
    tensors = [t for t in (*op.inputs, *op.outputs) if t is not None]
    if any(t.dtype is not DType.S16 or t.quant is None for t in tensors):
        return
    powers = [log2(t.q.scale) for t in tensors]
    if op.attributes.get("PotScaleInt16", True) and all(abs(power - round(power)) < 1e-3 for power in powers):
        raise UnsupportedOp(
            "int16 sums with scales that are powers of two, as converters made them before 2020",
            "convert again with a newer TensorFlow",
        )


def clamped_writer(code: str, **attributes: bool) -> TFLiteWriter:
    """Writes an operator that has two inputs and a fused activation."""
    return lambda op, inputs, outputs: with_activation(op, code, inputs, outputs[0], **attributes)
