"""SVDF: a layer of units over the last inputs, each unit `rank` filters: over the input, then over time.

f[n,k] = sum over d of x[n,d] * features[k,d]; the state keeps the last `memory` of each f;
y[n,u] = clamp(bias[u] + sum over the unit's filters k and times t of state[n,k,t] * times[k,t]).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.graph import Clamp, Op
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.numerics.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier, wrap_int32
from midge.ops.formats import SourceOp, UnsupportedOp, tflite_clamp
from midge.ops.types import check_per_tensor, reason_why_not, type_reason

_ORDER = "x, the state, weights over features, weights over time, bias"


@dataclass(frozen=True, kw_only=True)
class Svdf(Op):
    """inputs: x (batch, depth), state (batch, filters * memory), features (filters, depth), times (filters, memory),
    bias (units) when there is one. outputs: y (batch, units), the next state. `rank`: filters per unit.
    """

    rank: int
    clamp: Clamp

    weight_axis: ClassVar[Mapping[int, int]] = {2: 0, 3: 0}
    bias_input: ClassVar[int | None] = 4
    updates: ClassVar[Mapping[int, int]] = {1: 1}

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """(batch, units), and the state's shape."""
        x, state, features, times, *bias = (t.shape for t in inputs)
        if any(len(shape) != 2 for shape in (x, state, features, times)):
            raise ValueError(f"{x}, {state}, {features} and {times} are not all matrices ({_ORDER})")
        filters, memory = times
        if features != (filters, x[1]) or self.rank < 1 or filters % self.rank:
            raise ValueError(f"weights {features} and {times} of rank {self.rank} do not go with the input {x}")
        if state != (x[0], filters * memory):
            raise ValueError(f"a state {state} for {filters} filters that remember {memory} of {x[0]} inputs each")
        units = filters // self.rank
        if bias and bias[0] != (units,):
            raise ValueError(f"bias {bias[0]} for {units} units")
        return ((x[0], units), state)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float; or int8 with an int16 state, int8 and int16 weights, all with zero point 0 but x and y."""
        x, state, features, times, *bias = inputs
        if {t.dtype for t in (*inputs, *outputs)} == {DType.F32}:
            return ""
        kinds = (x.dtype, state.dtype, features.dtype, times.dtype, outputs[0].dtype)
        if kinds != (DType.S8, DType.S16, DType.S8, DType.S16, DType.S8):
            return type_reason((x, *outputs))
        if any(t.dtype is not DType.S32 for t in bias):
            return f"a {bias[0].dtype.value} bias"
        if reason := check_per_tensor((x, state, features, times, outputs[0])):
            return reason
        if nonzero := [t.name for t in (state, features, times) if t.q.zero_point]:
            return f"{nonzero[0]} is not symmetric: its zero point is not 0"
        return reason_why_not(lambda: svdf_factors(inputs, outputs))

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int:
        """Each weight, for each of the batch."""
        return inputs[0].shape[0] * (inputs[2].elements + inputs[3].elements)

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Sums in float64 for floats, wrapped to 32 bits for integers.

        Source: EvalIntegerSVDF and EvalFloatSVDF in tensorflow/lite/kernels/internal/reference/svdf.h.
        """
        x, state, features, times, *bias = values
        filters, memory = times.shape
        past = state.reshape(len(x), filters, memory)[:, :, 1:]
        start = bias[0] if bias else 0
        if outputs[0].dtype is DType.F32:
            newest = (x.astype(np.float64) @ features.astype(np.float64).T).astype(np.float32)
            kept = np.concatenate([past, newest[:, :, None]], axis=2)
            sums = (kept.astype(np.float64) * times).sum(axis=2).reshape(len(x), -1, self.rank).sum(axis=2) + start
            y = np.clip(sums.astype(np.float32), *self.clamp).astype(np.float32)
        else:
            first, second = svdf_factors(inputs, outputs)
            dots = (x.astype(np.int64) - inputs[0].q.zero_point) @ features.astype(np.int64).T
            scaled = multiply_by_quantized_multiplier(wrap_int32(dots), *first)
            newest = np.clip(scaled, *DType.S16.limits).astype(np.int16)
            kept = np.concatenate([past, newest[:, :, None]], axis=2)
            sums = (kept.astype(np.int64) * times).sum(axis=2).reshape(len(x), -1, self.rank).sum(axis=2) + start
            out = multiply_by_quantized_multiplier(wrap_int32(sums), *second) + outputs[0].q.zero_point
            y = np.clip(out, *DType.S8.limits).astype(np.int8)
        return [y, kept.reshape(state.shape)]


def svdf_factors(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[tuple[int, int], tuple[int, int]]:
    """(multiplier, shift) from the sums over features to the state, and from those over time to the output.

    The factors are computed in float32. Raises ValueError beyond 2^30. Source: Prepare in
    tensorflow/lite/kernels/svdf.cc.
    """
    x, state, features, times = (np.float32(t.q.scale) for t in inputs[:4])
    with np.errstate(over="ignore", under="ignore"):
        first, second = float(x * features / state), float(state * times / np.float32(outputs[0].q.scale))
    return quantize_multiplier(first), quantize_multiplier(second)


def from_tflite(op: SourceOp) -> Svdf:
    """Reads a TFLite SVDF; integers have no fused activation but what their output can hold."""
    if len(op.inputs) != 5 or len(op.outputs) != 1:
        raise UnsupportedOp(
            f"{len(op.inputs)} inputs and {len(op.outputs)} outputs instead of 5 and 1", "export the model again"
        )
    x, features, times, state = (op.tensor(i, rank=2).name for i in (0, 1, 2, 4))
    bias = () if op.inputs[3] is None else (op.inputs[3].name,)
    return Svdf(
        name=op.name,
        inputs=(x, state, features, times, *bias),
        outputs=(*op.output_names, f"{state}/next"),
        rank=int(op.attribute("Rank")),
        clamp=tflite_clamp(op),
    )


TFLITE = {"SVDF": from_tflite}
