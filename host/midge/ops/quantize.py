"""QUANTIZE: float to int8 or int16, or one quantized type to another, or to another scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from midge.ir.tensor import QUANTIZED, Array, DType, Quant, Tensor
from midge.numerics.fixed_point import multiply_by_quantized_multiplier, quantize_array, quantize_multiplier, wrap_int32
from midge.ops.families.elementwise import Elementwise
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.tflite_writing import written
from midge.ops.types import check_per_tensor, reason_why_not, type_reason


@dataclass(frozen=True, kw_only=True)
class Quantize(Elementwise):
    """inputs: x, float32 or integers. `ties_to_even`: as ONNX rounds halves; in TFLite they go from zero."""

    ties_to_even: bool = False

    def sum_step(self, steps: Sequence[Any]) -> Any:
        """The input's."""
        return steps[0]

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float to int8 or int16; int8, uint8, int16 and int32 to one another, but int32 to int32."""
        x, y = inputs[0], outputs[0]
        wide = {DType.S8, DType.U8, DType.S16, DType.S32}
        if x.dtype is DType.F32:
            return type_reason((x, y)) if y.dtype not in QUANTIZED else check_per_tensor((y,))
        if not {x.dtype, y.dtype} <= wide or x.dtype is y.dtype is DType.S32:
            return type_reason((x, y))
        if reason := check_per_tensor((x, y)):
            return reason
        if self.ties_to_even:
            return "integers to integers with ties to even"
        return reason_why_not(lambda: quantize_parameters(self, inputs, outputs))

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Floats: zero_point + round(x / scale), saturated. Integers: requantized."""
        (x,) = values
        if inputs[0].dtype is DType.F32 and self.ties_to_even:
            return [quantize_to_even(x, outputs[0].q, outputs[0].dtype)]
        if inputs[0].dtype is DType.F32:
            return [quantize_array(x, outputs[0].q, outputs[0].dtype)]
        p = quantize_parameters(self, inputs, outputs)
        scaled = multiply_by_quantized_multiplier(
            wrap_int32(x.astype(np.int64) - p.input_zero_point), p.multiplier, p.shift
        )
        dtype = outputs[0].dtype
        return [np.clip(scaled + p.output_zero_point, *dtype.limits).astype(dtype.numpy)]


def quantize_to_even(real: Array, quant: Quant, dtype: DType) -> Array:
    """Floats to `dtype`: zero_point + round(real / scale), saturated; division in float32, halves to the even number.

    Not-a-number becomes the zero point. Source: QuantizeLinear in ONNX's operator specification.
    """
    with np.errstate(over="ignore"):
        ratio = np.nan_to_num(np.asarray(real, np.float32) / np.float32(quant.scale)).astype(np.float64)
    low, high = dtype.limits
    return np.asarray(np.clip(np.rint(ratio) + quant.zero_point, low, high), dtype.numpy)


@dataclass(frozen=True)
class QuantizeParameters:
    """out = saturate(output_zero_point + rescale(x - input_zero_point)), rescale by (multiplier, shift)."""

    input_zero_point: int
    output_zero_point: int
    multiplier: int
    shift: int


def quantize_parameters(op: Quantize, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> QuantizeParameters:
    """The integers of a QUANTIZE between integers; the factor is computed in double. Raises ValueError beyond 2^30.

    Source: Prepare in tensorflow/lite/kernels/quantize.cc.
    """
    x, y = inputs[0].q, outputs[0].q
    return QuantizeParameters(x.zero_point, y.zero_point, *quantize_multiplier(x.scale / y.scale))


def from_tflite(op: SourceOp) -> Quantize:
    """Reads a TFLite QUANTIZE."""
    return Quantize(name=op.name, inputs=op.input_names(1, 1), outputs=op.output_names)


TFLITE = {"QUANTIZE": from_tflite}


def is_by_floats(x: Tensor, y: Tensor) -> bool:
    """Whether a QUANTIZE of int8 `x` gives what DEQUANTIZE and then QUANTIZE of the floats give, for every value."""
    if x.dtype is not DType.S8 or reason_why_not(lambda: quantize_multiplier(x.q.scale / y.q.scale)):
        return False
    low, high = x.dtype.limits
    every = np.arange(low, high + 1).astype(x.dtype.numpy)
    source, target = (Tensor(t.name, every.shape, t.dtype, t.quant) for t in (x, y))
    op = Quantize(name="", inputs=(x.name,), outputs=(y.name,))
    (found,) = op.evaluate([source], [target], [every])
    real = ((every.astype(np.float64) - x.q.zero_point) * x.q.scale).astype(np.float32)
    return bool((found == quantize_array(real, y.q, y.dtype)).all())


def to_tflite(op: Quantize, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite QUANTIZE, which rounds halves away from zero.

    TFLite has none from int8 to int16: that is written by way of floats, where it is the same.
    """
    if op.ties_to_even:
        raise UnsupportedOp("it rounds halves to even", "quantize the float model with midge instead")
    x, y = inputs[0], outputs[0]
    if x.dtype is DType.S8 and y.dtype is DType.S16:
        if not is_by_floats(x, y):
            raise UnsupportedOp(
                "int8 to int16 at a scale that floats round otherwise", "deploy it from the float model"
            )
        real = Tensor(f"{y.name}/float", y.shape, DType.F32)
        first = SourceOp("DEQUANTIZE", f"{op.name}/dequantize", (x,), (real,), {})
        return [first, *written(op, "QUANTIZE", [real], outputs)]
    return written(op, "QUANTIZE", inputs, outputs)
