"""UNIDIRECTIONAL_SEQUENCE_LSTM: an LSTM over the steps of a sequence, which starts where the last call ended.

gates i, f, g, o = x[t] * W + h * R + b (logistic, but tanh for g); c = clip(f * c + i * g); h = o * tanh(c); y[t] = h.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import ClassVar

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import Array, DType, Quant, Shape, Tensor
from midge.numerics.fixed_point import (
    Ints,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    rounding_divide_by_pot,
    wrap_int32,
)
from midge.numerics.gemmlowp16 import logistic16, tanh16
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.types import check_per_tensor, reason_why_not, type_reason

GATES = 4
_W, _R, _B = slice(3, 7), slice(7, 11), slice(11, 15)
_TANH = 4
_PLAIN = "use a plain LSTM layer, as Keras has it: no peepholes, projection, coupled gates or layer normalization"


@dataclass(frozen=True, kw_only=True)
class UnidirectionalSequenceLstm(Op):
    """inputs: x (batch, steps, depth), h and c (batch, units: states), W of the gates input, forget, cell and output
    (units, depth), R of each (units, units), b of each (units). outputs: y (batch, steps, units), the next h and c.

    `time_major`: x and y have the steps first. `cell_clip`: the bound on |c|, 0 for none. `hidden`: how h is quantized
    before it is stored, None for a float LSTM.
    """

    time_major: bool
    cell_clip: float
    hidden: Quant | None

    weight_axis: ClassVar[Mapping[int, int]] = dict.fromkeys(range(3, 11), 0)
    updates: ClassVar[Mapping[int, int]] = {1: 1, 2: 2}

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape with `units` last, and the states'."""
        x, h, c = inputs[:3]
        if len(inputs) != 3 + 3 * GATES or len(x.shape) != 3:
            raise ValueError(f"{len(inputs)} inputs, of which the first is {x.shape}")
        batch, depth = x.shape[1 if self.time_major else 0], x.shape[2]
        units = inputs[3].shape[0] if inputs[3].shape else 0
        wrong = [t for t in inputs[_W] if t.shape != (units, depth)]
        wrong += [t for t in inputs[_R] if t.shape != (units, units)]
        wrong += [t for t in inputs[_B] if t.shape != (units,)]
        wrong += [t for t in (h, c) if t.elements != batch * units]
        if wrong:
            raise ValueError(f"{wrong[0].name} is {wrong[0].shape} in an LSTM of {units} units on an input {x.shape}")
        return ((*x.shape[:2], units), h.shape, c.shape)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float; or int8 with int8 weights, an int32 bias, and an int16 c whose scale is a power of two."""
        x, h, c = inputs[:3]
        if {t.dtype for t in (*inputs, *outputs)} == {DType.F32}:
            return ""
        if {x.dtype, h.dtype, outputs[0].dtype, *(t.dtype for t in inputs[3:11])} != {DType.S8}:
            return type_reason((x, h, *outputs))
        if c.dtype is not DType.S16 or any(t.dtype is not DType.S32 for t in inputs[_B]):
            return "an int8 LSTM whose cell state is not int16, or whose bias is not int32"
        if reason := check_per_tensor((x, h, c, *inputs[3:11], outputs[0])):
            return reason
        if nonzero := [t.name for t in (c, *inputs[3:11]) if t.q.zero_point]:
            return f"{nonzero[0]} is not symmetric: its zero point is not 0"
        if any(not t.is_constant for t in inputs[3:]):
            return "an LSTM whose weights are computed at run time"
        if h.quant != outputs[0].quant or self.hidden is None:
            return "an LSTM whose state and output have different scales, or none"
        return reason_why_not(lambda: lstm_integers(self, inputs))

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int:
        """Each weight, in each step."""
        return outputs[0].shape[0] * outputs[0].shape[1] * sum(t.elements for t in inputs[3:11])

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Floats in float64 within a step. Integers as TFLite's portable kernels compute int8 with an int16 state.

        Source: LstmStepFloat and LstmStepInteger8x8_16 in tensorflow/lite/kernels/lstm_eval.cc.
        """
        x, h, c = values[:3]
        steps = x if self.time_major else x.swapaxes(0, 1)
        h, c = (state.reshape(steps.shape[1], -1) for state in (h, c))
        found = []
        integers = None if outputs[0].dtype is DType.F32 else lstm_integers(self, inputs)
        for step in steps:
            h, c = self._step(step, h, c, values) if integers is None else integers.step(step, h, c, values)
            found.append(h)
        y = np.stack(found, axis=0 if self.time_major else 1)
        return [y, h.reshape(values[1].shape), c.reshape(values[2].shape)]

    def _step(self, x: Array, h: Array, c: Array, values: Sequence[Array]) -> tuple[Array, Array]:
        wide = [value.astype(np.float64) for value in values[3:]]
        sums = [x @ w.T + h @ r.T + b for w, r, b in zip(wide[:4], wide[4:8], wide[8:], strict=True)]
        with np.errstate(over="ignore"):
            i, f, o = (1 / (1 + np.exp(-sums[gate])) for gate in (0, 1, 3))
        c = f * c + i * np.tanh(sums[2])
        if self.cell_clip > 0:
            c = np.clip(c, -self.cell_clip, self.cell_clip)
        return (o * np.tanh(c)).astype(np.float32), c.astype(np.float32)


@dataclass(frozen=True)
class LstmIntegers:
    """The integers of an int8 LSTM. Factors are (multiplier, shift); per gate in the order input, forget, cell, output.

    `x_factors` and `h_factors` take sums to gates with 12 fractional bits; `hidden_factor` takes o * tanh(c), with 30,
    to h, to which `hidden_zero` is added; `cell_bits` are the integer bits of c; `clip` bounds |c|, 0 for not.
    """

    x_zero: int
    h_zero: int
    x_factors: tuple[tuple[int, int], ...]
    h_factors: tuple[tuple[int, int], ...]
    hidden_factor: tuple[int, int]
    hidden_zero: int
    cell_bits: int
    clip: int

    def step(self, x: Array, h: Array, c: Array, values: Sequence[Array]) -> tuple[Array, Array]:
        """The next h and c."""
        gates = []
        for gate in range(GATES):
            w, r, bias = (values[3 + gate + GATES * k].astype(np.int64) for k in range(3))
            from_x = (x.astype(np.int64) - self.x_zero) @ w.T + bias
            from_h = (h.astype(np.int64) - self.h_zero) @ r.T
            part = _saturated(multiply_by_quantized_multiplier(wrap_int32(from_x), *self.x_factors[gate]))
            whole = multiply_by_quantized_multiplier(wrap_int32(from_h), *self.h_factors[gate]) + part
            gates.append(_saturated(whole))
        i, f, o = (logistic16(gates[gate]) for gate in (0, 1, 3))
        kept = rounding_divide_by_pot(f * c, 15)
        cell = _saturated(kept + rounding_divide_by_pot(i * tanh16(gates[2], 3), 15 + self.cell_bits))
        if self.clip:
            cell = np.clip(cell, -self.clip, self.clip)
        product = multiply_by_quantized_multiplier(o * tanh16(cell, self.cell_bits), *self.hidden_factor)
        hidden = np.clip(product + self.hidden_zero, *DType.S8.limits)
        return hidden.astype(np.int8), cell.astype(np.int16)


def _saturated(value: Ints) -> Ints:
    return np.clip(value, *DType.S16.limits)


def lstm_integers(op: UnidirectionalSequenceLstm, inputs: Sequence[Tensor]) -> LstmIntegers:
    """The integers of an int8 LSTM; factors are computed in float32.

    Raises ValueError for a cell whose scale is no power of two from 2^-15 to 2^-9, and for factors beyond 2^30.
    Source: PopulateQuantizedLstmParams8x8_16 in tensorflow/lite/kernels/lstm.cc.
    """
    x, h, c = inputs[:3]
    assert op.hidden is not None
    exponent = round(log2(c.q.scale))
    if abs(log2(c.q.scale) - exponent) > 1e-3 or not -15 <= exponent <= -9:
        raise ValueError(f"the cell state's scale {c.q.scale:.6g} is no power of two from 2^-15 to 2^-9")

    def factors(source: Tensor, weights: Sequence[Tensor]) -> tuple[tuple[int, int], ...]:
        scales = (np.float32(t.q.scale) * np.float32(source.q.scale) / np.float32(2**-12) for t in weights)
        return tuple(quantize_multiplier(float(scale)) for scale in scales)

    clip = 0
    if op.cell_clip > 0:
        clip = int(min(float(np.float32(op.cell_clip) / np.float32(c.q.scale)), 32767.0))
    with np.errstate(over="ignore", under="ignore"):
        return LstmIntegers(
            x.q.zero_point,
            h.q.zero_point,
            factors(x, inputs[_W]),
            factors(h, inputs[_R]),
            quantize_multiplier(float(np.float32(2.0**-15 / op.hidden.scale * 2.0**-15))),
            op.hidden.zero_point,
            15 + exponent,
            clip,
        )


def from_tflite(op: SourceOp) -> UnidirectionalSequenceLstm:
    """Reads a TFLite UNIDIRECTIONAL_SEQUENCE_LSTM of the plain kind, which is what Keras layers become."""
    present = {i for i, t in enumerate(op.inputs) if t is not None}
    needed = {*range(9), *range(12, 16), 18, 19}
    if len(op.inputs) not in (20, 24) or len(op.outputs) != 1 or present != needed:
        reasons = {
            "coupled gates": not {1, 5, 12} <= present,
            "peepholes": bool({9, 10, 11} & present),
            "a projection": bool({16, 17} & present),
            "layer normalization": bool({20, 21, 22, 23} & present),
        }
        what = [reason for reason, holds in reasons.items() if holds] or [f"inputs {sorted(present)}"]
        raise UnsupportedOp(f"an LSTM with {' and '.join(what)}", _PLAIN)
    if op.attribute("FusedActivationFunction") != _TANH or op.attributes.get("DiagonalRecurrentTensors"):
        raise UnsupportedOp("an LSTM with another activation than tanh, or diagonal weights", _PLAIN)
    h, c = op.tensor(18).name, op.tensor(19).name
    order = (0, 18, 19, *range(1, 9), *range(12, 16))
    hidden = op.intermediates[4] if len(op.intermediates) > 4 else None
    return UnidirectionalSequenceLstm(
        name=op.name,
        inputs=tuple(op.tensor(i).name for i in order),
        outputs=(*op.output_names, f"{h}/next", f"{c}/next"),
        time_major=bool(op.attributes.get("TimeMajor", False)),
        cell_clip=float(op.attributes.get("CellClip", 0.0)),
        hidden=hidden,
    )


TFLITE = {"UNIDIRECTIONAL_SEQUENCE_LSTM": from_tflite}
