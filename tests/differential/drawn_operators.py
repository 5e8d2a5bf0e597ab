"""Draws small operators of every kind with their inputs: shapes, strides, paddings, scales and extremes.

`DRAWS` maps an operator's TFLite code to a function of a random generator and an element type; `draw` calls it. A case
is what a file would say (`SourceOp`) with one value per input that is not constant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from midge.ir.graph import Array, DType, Op, Quant, Shape, Tensor
from midge.ops import readers
from midge.ops.formats import SourceOp

Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Case:
    """An operator as a file spells it, as midge reads it, and values for its inputs that are not constant."""

    source: SourceOp
    op: Op
    values: tuple[Array, ...]

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The tensors that `op` reads, constants included."""
        tensors = {t.name: t for t in self.source.inputs if t is not None}
        return tuple(tensors[name] for name in self.op.inputs)

    @property
    def activations(self) -> tuple[Tensor, ...]:
        """The inputs that `values` are for."""
        return tuple(t for t in self.source.inputs if t is not None and not t.is_constant)

    def evaluate(self) -> Array:
        """The output by midge's definition."""
        known = {t.name: v for t, v in zip(self.activations, self.values, strict=True)}
        values = [known[t.name] if t.data is None else t.data for t in self.inputs]
        (result,) = self.op.evaluate(self.inputs, self.source.outputs, values)
        return result


def draw(code: str, dtype: DType, rng: Rng) -> Case:
    """One case of the operator `code` with activations of `dtype`."""
    return DRAWS[code](code, dtype, rng)


def _case(
    code: str,
    rng: Rng,
    inputs: Sequence[Tensor | None],
    output: Tensor,
    attributes: Mapping[str, Any] | None = None,
) -> Case:
    """Finishes a case: the output's shape is inferred, unless the file alone knows it."""
    source = SourceOp(code, code.lower(), tuple(inputs), (output,), attributes or {})
    op = readers("TFLITE")[code](source)
    tensors = {t.name: t for t in inputs if t is not None}
    found = tuple(tensors[name] for name in op.inputs)
    (shape,) = op.infer(found)
    source = replace(source, outputs=(replace(output, shape=shape),))
    assert op.check(found, source.outputs) == ""
    values = tuple(_values(t, rng) for t in inputs if t is not None and t.data is None)
    return Case(source, op, values)


# Tensors and values


def _scale(rng: Rng, low: float = 0.002, high: float = 0.5) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _quant(rng: Rng, scale: float | None = None) -> Quant:
    zero_point = int(rng.choice([-128, 0, 127, *rng.integers(-128, 128, 4)]))
    return Quant.per_tensor(scale or _scale(rng), zero_point)


def _activation(name: str, shape: Shape, dtype: DType, rng: Rng) -> Tensor:
    return Tensor(name, shape, dtype, _quant(rng) if dtype is DType.S8 else None)


def _like(x: Tensor, name: str = "y") -> Tensor:
    return replace(x, name=name, data=None)


def _constant(name: str, values: Any) -> Tensor:
    data = np.array(values, np.int32)
    return Tensor(name, data.shape, DType.S32, None, data)


def _values(tensor: Tensor, rng: Rng) -> Array:
    """Values all over the range, or at its ends, or all alike."""
    if tensor.dtype is DType.F32:
        return rng.normal(0, float(rng.choice([0.1, 1, 10])), tensor.shape).astype(np.float32)
    match rng.integers(6):
        case 0:
            return rng.choice(np.array([-128, 127], np.int8), tensor.shape)
        case 1:
            return np.full(tensor.shape, rng.choice([-128, 127, tensor.q.zero_point]), np.int8)
        case _:
            return rng.integers(-128, 128, tensor.shape).astype(np.int8)


def _activation_code(rng: Rng) -> int:
    return int(rng.choice([0, 0, 1, 2, 3]))


def _shape(rng: Rng, rank: int | None = None) -> Shape:
    return tuple(int(n) for n in rng.integers(1, 7, int(rng.integers(1, 5)) if rank is None else rank))


# Operators with weights


def _weights(shape: Shape, axis: int | None, dtype: DType, rng: Rng) -> Tensor:
    if dtype is DType.F32:
        return Tensor("w", shape, dtype, None, rng.normal(0, 1, shape).astype(np.float32))
    count = 1 if axis is None else shape[axis]
    scales = tuple(float(np.float32(_scale(rng, 0.001, 0.05))) for _ in range(count))
    data = rng.integers(-127, 128, shape).astype(np.int8)
    return Tensor("w", shape, dtype, Quant(scales, (0,) * count, axis), data)


def _bias(channels: int, x: Tensor, weights: Tensor, rng: Rng) -> Tensor:
    if x.dtype is DType.F32:
        return Tensor("b", (channels,), x.dtype, None, rng.normal(0, 1, channels).astype(np.float32))
    scales = tuple(float(np.float32(x.q.scale) * np.float32(s)) for s in weights.q.scales)
    quant = Quant(scales, (0,) * len(scales), None if weights.q.axis is None else 0)
    return Tensor("b", (channels,), DType.S32, quant, rng.integers(-9000, 9000, channels).astype(np.int32))


def _weighted_output(x: Tensor, weights: Tensor, terms: int, rng: Rng) -> Tensor:
    """An output scale that spreads most sums over the range; sometimes far off, so that factors pass 1."""
    if x.dtype is DType.F32:
        return Tensor("y", (), x.dtype)
    spread = x.q.scale * max(weights.q.scales) * 80 * terms**0.5
    return Tensor("y", (), x.dtype, _quant(rng, spread * float(np.exp(rng.uniform(-1, 1) * rng.choice([1, 8])))))


def _window_attributes(kernel: tuple[int, int], limit: int, rng: Rng) -> tuple[dict[str, int], Shape]:
    """Stride, dilation and padding options, and an input size (height, width) that the window fits."""
    dilation = (int(rng.choice([1, 1, limit])), int(rng.choice([1, 1, limit])))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    options = {
        "StrideH": int(rng.integers(1, 4)),
        "StrideW": int(rng.integers(1, 4)),
        "DilationHFactor": dilation[0],
        "DilationWFactor": dilation[1],
        "Padding": int(rng.integers(0, 2)),
        "FusedActivationFunction": _activation_code(rng),
    }
    return options, tuple(int(r + rng.integers(0, 7)) for r in reach)


def _conv(code: str, dtype: DType, rng: Rng) -> Case:
    kernel = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
    options, size = _window_attributes(kernel, 2, rng)
    groups, depth, out = int(rng.choice([1, 1, 1, 2])), int(rng.integers(1, 6)), int(rng.integers(1, 5))
    x = _activation("x", (int(rng.integers(1, 3)), *size, depth * groups), dtype, rng)
    weights = _weights((out * groups, *kernel, depth), rng.choice([0, None]), dtype, rng)
    output = _weighted_output(x, weights, prod(kernel) * depth, rng)
    # TFLite's own CONV_2D refuses a convolution without a bias.
    return _case(code, rng, (x, weights, _bias(out * groups, x, weights, rng)), output, options)


def _depthwise(code: str, dtype: DType, rng: Rng) -> Case:
    kernel = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
    options, size = _window_attributes(kernel, 2, rng)
    options["DepthMultiplier"] = int(rng.choice([1, 1, 2, 3]))
    depth = int(rng.integers(1, 6))
    x = _activation("x", (int(rng.integers(1, 3)), *size, depth), dtype, rng)
    channels = depth * options["DepthMultiplier"]
    weights = _weights((1, *kernel, channels), rng.choice([3, None]), dtype, rng)
    output = _weighted_output(x, weights, prod(kernel), rng)
    bias = () if rng.random() < 0.3 else (_bias(channels, x, weights, rng),)
    return _case(code, rng, (x, weights, *bias), output, options)


def _fully_connected(code: str, dtype: DType, rng: Rng) -> Case:
    units, depth = int(rng.integers(1, 9)), int(rng.choice([1, 7, 64, 300]))
    keep = bool(rng.integers(0, 2))
    shape = (*_shape(rng, int(rng.integers(0, 3))), depth)
    x = _activation("x", shape if keep or len(shape) > 1 else (1, depth), dtype, rng)
    weights = _weights((units, depth), None, dtype, rng)
    output = _weighted_output(x, weights, depth, rng)
    options = {"FusedActivationFunction": _activation_code(rng), "KeepNumDims": keep}
    bias = None if rng.random() < 0.3 else _bias(units, x, weights, rng)
    return _case(code, rng, (x, weights, bias), output, options)


# Operators without


def _pool(code: str, dtype: DType, rng: Rng) -> Case:
    kernel = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    options, size = _window_attributes(kernel, 1, rng)
    options = {k: v for k, v in options.items() if not k.startswith("Dilation")}
    options |= {"FilterHeight": kernel[0], "FilterWidth": kernel[1]}
    x = _activation("x", (int(rng.integers(1, 3)), *size, int(rng.integers(1, 6))), dtype, rng)
    return _case(code, rng, (x,), _like(x), options)


def _mean(code: str, dtype: DType, rng: Rng) -> Case:
    x = _activation("x", tuple(int(n) for n in rng.integers(1, 12, int(rng.integers(1, 5)))), dtype, rng)
    rank = len(x.shape)
    axes = rng.choice(np.arange(rank), int(rng.integers(1, rank + 1)), replace=False)
    axes = np.where(rng.random(len(axes)) < 0.3, axes - rank, axes)
    scale = x.q.scale * float(np.exp(rng.uniform(-2, 1))) if dtype is DType.S8 else 0
    output = (rng.choice([True, False]) and _like(x)) or replace(_like(x), quant=_quant(rng, scale) if scale else None)
    return _case(code, rng, (x, _constant("axes", axes)), output, {"KeepDims": bool(rng.integers(0, 2))})


def _binary(code: str, dtype: DType, rng: Rng) -> Case:
    """Equal shapes, or one broadcast to the other in some dimensions; one operand may be constant."""
    shape = _shape(rng)
    other = tuple(1 if rng.random() < 0.3 else n for n in shape)[int(rng.integers(0, len(shape) + 1)) :]
    x, y = (
        _activation("x", shape, dtype, rng),
        _activation("z", (rng.choice([True, False]) and shape) or other, dtype, rng),
    )
    if rng.random() < 0.3:
        y = replace(y, data=_values(y, rng))
    if rng.random() < 0.5:
        x, y = replace(y, name="x"), replace(x, name="z")
    quant = None
    if dtype is DType.S8:
        natural = x.q.scale * y.q.scale * 128 if code == "MUL" else max(x.q.scale, y.q.scale)
        quant = _quant(rng, natural * float(np.exp(rng.uniform(-1, 1) * rng.choice([1, 5]))))
    output = Tensor("y", (), dtype, quant)
    return _case(code, rng, (x, y), output, {"FusedActivationFunction": _activation_code(rng)})


def _concatenation(code: str, dtype: DType, rng: Rng) -> Case:
    first = _activation("x0", _shape(rng), dtype, rng)
    axis = int(rng.integers(0, len(first.shape)))
    sizes = rng.integers(1, 6, int(rng.integers(0, 4)))
    others = [
        replace(first, name=f"x{i + 1}", shape=(*first.shape[:axis], int(n), *first.shape[axis + 1 :]))
        for i, n in enumerate(sizes)
    ]
    spelled = axis - len(first.shape) if rng.random() < 0.3 else axis
    return _case(code, rng, (first, *others), _like(first), {"Axis": spelled, "FusedActivationFunction": 0})


def _pad(code: str, dtype: DType, rng: Rng) -> Case:
    x = _activation("x", _shape(rng), dtype, rng)
    return _case(code, rng, (x, _constant("paddings", rng.integers(0, 4, (len(x.shape), 2)))), _like(x))


def _reshape(code: str, dtype: DType, rng: Rng) -> Case:
    x = _activation("x", _shape(rng), dtype, rng)
    shape = tuple(int(n) for n in rng.permutation((*x.shape, 1)))
    options = {"NewShape": shape}
    return _case(code, rng, (x, _constant("shape", shape)), replace(_like(x), shape=shape), options)


def _squeeze(code: str, dtype: DType, rng: Rng) -> Case:
    x = _activation("x", tuple(int(n) for n in rng.choice([1, 1, 3, 5], 4)), dtype, rng)
    ones = [i for i, n in enumerate(x.shape) if n == 1]
    dropped = ones[: int(rng.integers(0, len(ones) + 1))] or ones
    shape = tuple(n for i, n in enumerate(x.shape) if i not in dropped)
    return _case(code, rng, (x,), replace(_like(x), shape=shape), {"SqueezeDims": dropped})


def _softmax(code: str, dtype: DType, rng: Rng) -> Case:
    shape = (*_shape(rng, int(rng.integers(0, 4))), int(rng.choice([1, 2, 10, 100, 511])))
    x = _activation("x", shape, dtype, rng)
    if dtype is DType.S8:
        x = replace(x, quant=_quant(rng, _scale(rng, 1e-4, 3.0)))
    output = replace(_like(x), quant=Quant.per_tensor(1 / 256, -128) if dtype is DType.S8 else None)
    return _case(code, rng, (x,), output, {"Beta": float(np.float32(rng.choice([1.0, rng.uniform(0.1, 3)])))})


def _unary_table(output_quant: Quant) -> Callable[[str, DType, Rng], Case]:
    def case(code: str, dtype: DType, rng: Rng) -> Case:
        x = _activation("x", (1, 256), dtype, rng)
        drawn = _case(code, rng, (x,), replace(_like(x), quant=output_quant if dtype is DType.S8 else None))
        every = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)
        return replace(drawn, values=(every,)) if dtype is DType.S8 else drawn

    return case


def _rescaling(code: str, dtype: DType, rng: Rng) -> Case:
    """RELU and its like: any output scale."""
    x = _activation("x", (3, 100), dtype, rng)
    output = _like(x)
    if dtype is DType.S8:
        output = replace(output, quant=_quant(rng, x.q.scale * float(np.exp(rng.uniform(-2, 2)))))
    options = {"Alpha": float(np.float32(rng.choice([0, 0.01, 0.3, 1.5])))} if code == "LEAKY_RELU" else None
    return _case(code, rng, (x,), output, options)


def _quantize(code: str, dtype: DType, rng: Rng) -> Case:
    """From `dtype` to int8; floats with many exact halves between two steps."""
    x = _activation("x", (3, 100), dtype, rng)
    scale = x.q.scale * float(np.exp(rng.uniform(-3, 3))) if dtype is DType.S8 else float(rng.choice([0.25, 0.1]))
    drawn = _case(code, rng, (x,), Tensor("y", (), DType.S8, _quant(rng, scale)))
    if dtype is DType.S8:
        return drawn
    halves = (rng.integers(-300, 300, x.shape) * 0.5 * scale).astype(np.float32)
    return replace(drawn, values=(halves,))


def _dequantize(code: str, dtype: DType, rng: Rng) -> Case:
    x = _activation("x", (3, 100), DType.S8, rng)
    return _case(code, rng, (x,), Tensor("y", (), DType.F32))


DRAWS: Mapping[str, Callable[[str, DType, Rng], Case]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "AVERAGE_POOL_2D": _pool,
    "MAX_POOL_2D": _pool,
    "MEAN": _mean,
    "ADD": _binary,
    "SUB": _binary,
    "MUL": _binary,
    "CONCATENATION": _concatenation,
    "PAD": _pad,
    "RESHAPE": _reshape,
    "SQUEEZE": _squeeze,
    "SOFTMAX": _softmax,
    "LOGISTIC": _unary_table(Quant.per_tensor(1 / 256, -128)),
    "TANH": _unary_table(Quant.per_tensor(1 / 128, 0)),
    "RELU": _rescaling,
    "RELU6": _rescaling,
    "RELU_N1_TO_1": _rescaling,
    "LEAKY_RELU": _rescaling,
    "QUANTIZE": _quantize,
    "DEQUANTIZE": _dequantize,
}
