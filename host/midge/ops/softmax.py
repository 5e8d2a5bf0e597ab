"""SOFTMAX: e^(beta x) over its sum, along the last axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite, prod
from typing import ClassVar

import numpy as np

from midge.ir.graph import Op, Permutation
from midge.ir.tensor import QUANTIZED, Array, DType, Quant, Tensor
from midge.numerics.fixed_point import (
    Ints,
    quantize_multiplier,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
    wrap_int32,
)
from midge.numerics.gemmlowp import exp_on_negative_values, reciprocal
from midge.numerics.softmax_int16 import softmax_int16
from midge.ops.families.rows import Rows
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.tflite_writing import written
from midge.ops.types import check_fixed_output, check_per_tensor, check_same_type, reason_why_not
from midge.ops.uint8 import as_int8

OUTPUT_QUANT = Quant.per_tensor(1 / 256, -128)
OUTPUT_QUANT_INT16 = Quant.per_tensor(1 / 32768, 0)
# Of int8 inputs with an int16 output.
OUTPUT_QUANT_WIDENED = Quant.per_tensor(1 / 65536, -32768)

# Integer bits of the scaled differences and of the sum of exponentials.
DIFFERENCE_INTEGER_BITS = 5
SUM_INTEGER_BITS = 12


# Exponentials are at most 1: this many cannot overflow their sum.
_MAX_DEPTH = (1 << SUM_INTEGER_BITS) - 1


@dataclass(frozen=True, kw_only=True)
class Softmax(Rows):
    """inputs: x, with one dimension or more. `beta`: a positive float32 value."""

    beta: float

    fixed_quant: ClassVar[Quant] = OUTPUT_QUANT

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, int8, int16, or int8 to int16; integers with the output's fixed scale."""
        if not isfinite(self.beta) or self.beta <= 0:
            return f"a beta of {self.beta}"
        if (inputs[0].dtype, outputs[0].dtype) == (DType.S8, DType.S16):
            reason = check_per_tensor((*inputs, *outputs)) or _check_widened(outputs[0])
            return reason or reason_why_not(lambda: softmax_parameters(self.beta, inputs))
        reason = check_same_type(inputs, outputs, QUANTIZED)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        if outputs[0].dtype is DType.S16:
            reason = check_fixed_output(outputs[0], OUTPUT_QUANT_INT16)
            return reason or reason_why_not(lambda: difference_factor(self, inputs))
        return check_fixed_output(outputs[0], OUTPUT_QUANT) or reason_why_not(
            lambda: softmax_parameters(self.beta, inputs)
        )

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Integers: gemmlowp's fixed-point exponential and reciprocal.

        A sum of 512 or more needs a shift beyond 31, which TFLite's kernel leaves undefined; here it gives 0.
        Source: Softmax in tensorflow/lite/kernels/internal/reference/softmax.h.
        """
        (x,) = values
        if outputs[0].dtype is DType.F32:
            exps = np.exp((x.astype(np.float64) - x.max(axis=-1, keepdims=True)) * self.beta)
            return [(exps / exps.sum(axis=-1, keepdims=True)).astype(np.float32)]
        if inputs[0].dtype is DType.S16:
            return [softmax_int16(x, difference_factor(self, inputs))]
        differences = x.max(axis=-1, keepdims=True).astype(np.intp) - x
        exps = softmax_exponentials(softmax_parameters(self.beta, inputs))[differences]
        sums = rounding_divide_by_pot(exps, SUM_INTEGER_BITS).sum(axis=-1, keepdims=True)
        scale, bits = reciprocal(sums, SUM_INTEGER_BITS)
        # From Q0 to all bits of the output.
        y = outputs[0].dtype
        shift = bits + 31 - 8 * y.bytes
        scaled = rounding_divide_by_pot(saturating_rounding_doubling_high_mul(exps, scale), shift)
        return [np.clip(scaled + y.limits[0], *y.limits).astype(y.numpy)]

    def permuted(self, permutation: Permutation) -> tuple[Op, Permutation] | None:
        """Where the last axis stays the last."""
        return (self, permutation) if permutation and permutation[-1] == len(permutation) - 1 else None


def _check_widened(output: Tensor) -> str:
    """TFLite, which does not look at the scale when it computes, takes what is near to it."""
    expected = OUTPUT_QUANT_WIDENED
    near = abs(output.q.scale / expected.scale - 1) < 1e-3 and output.q.zero_point == expected.zero_point
    return "" if near else check_fixed_output(output, expected)


@dataclass(frozen=True)
class SoftmaxParameters:
    """The input's difference from the row's largest value, d <= 0, becomes Q5: d * 2^left_shift * multiplier / 2^31.

    Where d < diff_min the exponential counts as 0.
    """

    multiplier: int
    left_shift: int
    diff_min: int


def softmax_parameters(beta: float, inputs: Sequence[Tensor]) -> SoftmaxParameters:
    """The integers of an int8 SOFTMAX, or with a `beta` of 1 of a LOG_SOFTMAX.

    Raises ValueError when the input's scale is so small that all exponentials are alike, or a row so long that their
    sum leaves int32. Source: PreprocessSoftmaxScaling and CalculateInputRadius in
    tensorflow/lite/kernels/internal/quantization_util.cc.
    """
    x = inputs[0]
    if x.shape[-1] > _MAX_DEPTH:
        raise ValueError(f"{x.shape[-1]} classes are more than {_MAX_DEPTH}")
    fraction_bits = 31 - DIFFERENCE_INTEGER_BITS
    factor = min(beta * x.q.scale * (1 << fraction_bits), (1 << 31) - 1.0)
    if factor <= 1.0:
        raise ValueError(f"the input's scale {x.q.scale:.3g} is too small")
    multiplier, left_shift = quantize_multiplier(factor)
    radius = ((1 << DIFFERENCE_INTEGER_BITS) - 1) * (1 << fraction_bits) / (1 << left_shift)
    return SoftmaxParameters(multiplier, left_shift, -floor(radius))


def softmax_exponentials(p: SoftmaxParameters) -> Ints:
    """e^-(scaled d) for d = 0..255, as Q0 raw values that fit int32; 0 beyond -diff_min."""
    exps = exp_on_negative_values(scaled_differences(p), DIFFERENCE_INTEGER_BITS)
    return np.where(-np.arange(256) >= p.diff_min, exps, 0)


def scaled_differences(p: SoftmaxParameters) -> Ints:
    """d for d = 0..255 below the largest value, as Q5 raw values; without meaning beyond -diff_min."""
    differences = -np.arange(256, dtype=np.int64)
    return saturating_rounding_doubling_high_mul(wrap_int32(differences << p.left_shift), p.multiplier)


def difference_factor(op: Softmax, inputs: Sequence[Tensor]) -> tuple[int, int]:
    """What brings differences of int16 values to steps of 10 / 65535. Raises ValueError where it cannot be.

    Source: SoftmaxPrepare in tensorflow/lite/kernels/activations.cc.
    """
    x = inputs[0]
    if x.shape[-1] > _MAX_DEPTH:
        raise ValueError(f"{x.shape[-1]} classes are more than {_MAX_DEPTH}")
    scale = float(np.float32(x.q.scale) * np.float32(op.beta))
    return quantize_multiplier(scale / (10.0 / 65535.0))


def from_tflite(op: SourceOp) -> Softmax:
    """Reads a TFLite SOFTMAX."""
    beta = float(np.float32(op.attribute("Beta")))
    return Softmax(name=op.name, inputs=op.input_names(1, 1), outputs=op.output_names, beta=beta)


TFLITE = {"SOFTMAX": from_tflite}
from_uint8 = as_int8


def to_tflite(op: Softmax, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite SOFTMAX."""
    return written(op, "SOFTMAX", inputs, outputs, Beta=op.beta)


def from_onnx(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX Softmax. Up to opset 12 it goes over all axes from `axis` on, seen as one."""
    x = node.tensor(0)
    rank = len(x.shape)
    if rank == 0:
        raise UnsupportedOp("a scalar", "the file is damaged: export it again")
    if node.version < 13:
        axis = node.axis(int(node.attributes.get("axis", 1)), rank) if rank > 1 else 0
        rows = node.reshape(x, (prod(x.shape[:axis]), prod(x.shape[axis:])), "rows")
        return [node.reshape(node.add(Softmax, [rows], "", beta=1.0), x.shape, "shape")]
    axis = node.axis(int(node.attributes.get("axis", -1)), rank)
    if axis == rank - 1:
        return [node.add(Softmax, [x], "", beta=1.0)]
    swap = tuple(rank - 1 if i == axis else axis if i == rank - 1 else i for i in range(rank))
    last = node.add(Softmax, [node.transpose(x, swap, "last")], "", beta=1.0)
    return [node.transpose(last, swap, "back")]


ONNX = {"Softmax": from_onnx}
