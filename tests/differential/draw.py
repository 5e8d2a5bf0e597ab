"""Draws one-op graphs of every operator with inputs: shapes, strides, paddings, dilations, scales and extremes.

`DRAWS` maps an operator's kind to a function of a random generator and an element type that gives a `Case`;
`draw_cases` is what tests call.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, prod

import numpy as np

from midge.interpreter import interpret
from midge.ir.graph import NO_CLAMP, Array, Clamp, DType, Graph, Op, Padding, Quant, Shape, Tensor
from midge.ir.verify import verify
from midge.numerics.windows import window_output_size
from midge.ops.add import Add
from midge.ops.average_pool2d import AveragePool2D
from midge.ops.concatenation import Concatenation
from midge.ops.conv2d import Conv2D
from midge.ops.depthwise_conv2d import DepthwiseConv2D
from midge.ops.dequantize import Dequantize
from midge.ops.fully_connected import FullyConnected
from midge.ops.leaky_relu import LeakyRelu
from midge.ops.logistic import Logistic
from midge.ops.lookup import Lookup
from midge.ops.max_pool2d import MaxPool2D
from midge.ops.mean import Mean
from midge.ops.mul import Mul
from midge.ops.pad import Pad
from midge.ops.quantize import Quantize
from midge.ops.relu import Relu
from midge.ops.softmax import OUTPUT_QUANT as SOFTMAX_QUANT
from midge.ops.softmax import Softmax
from midge.ops.sub import Sub
from midge.ops.tanh import Tanh

Rng = np.random.Generator
CLAMPS: tuple[Clamp, ...] = (NO_CLAMP, NO_CLAMP, (0.0, inf), (0.0, 6.0), (-1.0, 1.0))


@dataclass(frozen=True, eq=False)
class Case:
    """A graph with one op, and values for its inputs."""

    graph: Graph
    inputs: tuple[Array, ...]

    @property
    def op(self) -> Op:
        """The only op."""
        return self.graph.ops[0]

    def evaluate(self) -> list[Array]:
        """The outputs by the definition."""
        return interpret(self.graph, self.inputs)


def draw_cases(kind: str, count: int, seed: int = 0) -> list[Case]:
    """`count` cases of the operator, float32 and int8 in turn where it has both; the same for the same arguments.

    Each graph has a name of its own, so that all can be linked into one program.
    """
    draw, types = DRAWS[kind]
    rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    cases = [draw(rng, types[i % len(types)]) for i in range(count)]
    return [replace(case, graph=replace(case.graph, name=f"{kind}_{i}")) for i, case in enumerate(cases)]


def mismatches(found: Array, expected: Array) -> int:
    """How many values differ: at all for integers, beyond midge's one tolerance for floats."""
    if expected.dtype.kind != "f":
        return int(np.count_nonzero(found != expected))
    size = np.abs(expected[np.isfinite(expected)])
    limit = 1e-4 * (size.max(initial=0.0) + np.abs(expected))
    with np.errstate(invalid="ignore"):
        return int(np.count_nonzero(~((np.abs(found - expected) <= limit) | (found == expected))))


def _case(op: Op, inputs: Sequence[Tensor], output: Tensor, rng: Rng) -> Case:
    tensors = {t.name: t for t in (*inputs, output)}
    names = tuple(dict.fromkeys(t.name for t in inputs if not t.is_constant))
    graph = verify(Graph(op.kind, names, (output.name,), tensors, (op,)))
    return Case(graph, tuple(_values(tensors[name], rng) for name in names))


def _values(t: Tensor, rng: Rng) -> Array:
    """Anything that the type can hold: drawn, one extreme throughout, or both in turn."""
    style = rng.integers(8)
    if t.dtype is DType.F32:
        wide = rng.normal(0, rng.choice([0.1, 1, 10, 1000]), t.shape)
        return (np.round(wide) / 2 if style == 0 else wide).astype(np.float32)
    low, high = t.dtype.limits
    if style == 0:
        return np.full(t.shape, rng.choice([low, -127, 0, high]), t.dtype.numpy)
    if style == 1:
        return rng.choice(np.array([low, -127, high], t.dtype.numpy), t.shape)
    return rng.integers(low, high + 1, t.shape).astype(t.dtype.numpy)


def _quant(rng: Rng) -> Quant:
    zero_point = int(rng.choice([-128, 0, 127, *rng.integers(-128, 128, 3)]))
    return Quant.per_tensor(float(np.exp(rng.uniform(-7, 2))), zero_point)


def _activation(name: str, shape: Shape, dtype: DType, rng: Rng) -> Tensor:
    return Tensor(name, shape, dtype, _quant(rng) if dtype is DType.S8 else None)


def _constant(t: Tensor, rng: Rng) -> Tensor:
    return replace(t, data=_values(t, rng))


def _below(rng: Rng, high: int) -> int:
    """1..high."""
    return int(rng.integers(1, high + 1))


def _pair(rng: Rng, high: int) -> tuple[int, int]:
    return _below(rng, high), _below(rng, high)


def _clamp(rng: Rng) -> Clamp:
    return CLAMPS[rng.integers(len(CLAMPS))]


def _weighted(rng: Rng, dtype: DType, x: Tensor, shape: Shape, axis: int) -> tuple[list[Tensor], float]:
    """Weights and, mostly, a bias; and a scale for the output that makes its values spread."""
    units = shape[axis]
    if dtype is DType.F32:
        weights = Tensor("w", shape, dtype, data=rng.normal(0, 1, shape).astype(np.float32))
        bias = Tensor("b", (units,), dtype, data=rng.normal(0, 1, units).astype(np.float32))
        return [weights, bias][: 1 + int(rng.random() < 0.8)], 1.0
    scales = np.exp(rng.uniform(-6, 0, units if rng.random() < 0.6 else 1)).astype(np.float32)
    quant = Quant(tuple(map(float, scales)), (0,) * len(scales), axis if len(scales) > 1 or units == 1 else None)
    weights = _constant(Tensor("w", shape, dtype, quant), rng)
    # Biases near the ends of int32 make sums wrap, as the definition says they do.
    reach = int(rng.choice([100, 20_000, (1 << 31) - 1], p=[0.4, 0.5, 0.1]))
    bias = Tensor("b", (units,), DType.S32, data=rng.integers(-reach, reach, units, endpoint=True).astype(np.int32))
    depth = prod(shape) // units
    spread = float(np.median(scales)) * x.q.scale * np.sqrt(depth) * float(np.exp(rng.uniform(0, 6)))
    if rng.random() < 0.1:
        spread *= 1e-4
    return [weights, bias][: 1 + int(rng.random() < 0.8)], spread


def _output(shape: Shape, dtype: DType, scale: float, rng: Rng) -> Tensor:
    quant = Quant.per_tensor(scale, _quant(rng).zero_point) if dtype is DType.S8 else None
    return Tensor("y", shape, dtype, quant)


def _names(tensors: Sequence[Tensor]) -> tuple[str, ...]:
    return tuple(t.name for t in tensors)


def _window(rng: Rng, most: int) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], Padding]:
    """Input size, kernel, stride and padding; any padding up to `most`, often none, sometimes one pixel of output."""
    kernel, stride = _pair(rng, 4), _pair(rng, 3)
    sides = rng.integers(0, most + 1, 4).tolist() if rng.random() < 0.6 else [0, 0, 0, 0]
    padding = ((sides[0], sides[1]), (sides[2], sides[3]))
    size = (kernel[0] + int(rng.integers(0, 6)), kernel[1] + int(rng.integers(0, 6)))
    return (kernel, size, stride, padding) if rng.random() < 0.85 else (size, size, stride, ((0, 0), (0, 0)))


def draw_conv2d(rng: Rng, dtype: DType) -> Case:
    """Groups, dilations, 1x1 kernels, batches, and windows that lie in the padding altogether."""
    kernel, size, stride, padding = _window(rng, 5)
    if rng.random() < 0.3:
        kernel = (1, 1)
        stride, padding = ((1, 1), ((0, 0), (0, 0))) if rng.random() < 0.5 else (stride, padding)
    dilation = _pair(rng, 2) if rng.random() < 0.4 else (1, 1)
    size = tuple(max(n, (k - 1) * d + 1) for n, k, d in zip(size, kernel, dilation, strict=True))
    groups = _below(rng, 3) if rng.random() < 0.3 else 1
    c_in, c_out = _below(rng, 5) * groups, _below(rng, 5) * groups
    x = _activation("x", (int(rng.choice([1, 1, 2])), *size, c_in), dtype, rng)
    constants, scale = _weighted(rng, dtype, x, (c_out, *kernel, c_in // groups), 0)
    out = window_output_size(size, kernel, stride, dilation, padding)
    op = Conv2D(
        name="layer",
        inputs=_names([x, *constants]),
        outputs=("y",),
        stride=stride,
        dilation=dilation,
        padding=padding,
        clamp=_clamp(rng),
    )
    return _case(op, [x, *constants], _output((x.shape[0], *out, c_out), dtype, scale, rng), rng)


def draw_depthwise_conv2d(rng: Rng, dtype: DType) -> Case:
    """Channel multipliers, dilations, batches."""
    kernel, size, stride, padding = _window(rng, 5)
    dilation = _pair(rng, 2) if rng.random() < 0.4 else (1, 1)
    size = tuple(max(n, (k - 1) * d + 1) for n, k, d in zip(size, kernel, dilation, strict=True))
    channels = _below(rng, 6)
    c_out = channels * int(rng.choice([1, 1, 2, 3]))
    x = _activation("x", (int(rng.choice([1, 1, 2])), *size, channels), dtype, rng)
    constants, scale = _weighted(rng, dtype, x, (1, *kernel, c_out), 3)
    out = window_output_size(size, kernel, stride, dilation, padding)
    op = DepthwiseConv2D(
        name="layer",
        inputs=_names([x, *constants]),
        outputs=("y",),
        stride=stride,
        dilation=dilation,
        padding=padding,
        clamp=_clamp(rng),
    )
    return _case(op, [x, *constants], _output((x.shape[0], *out, c_out), dtype, scale, rng), rng)


def draw_fully_connected(rng: Rng, dtype: DType) -> Case:
    """One row and several, flattened inputs, one weight."""
    batch, depth, units = int(rng.choice([1, 1, 3])), int(rng.choice([1, 7, 64, 300])), _below(rng, 9)
    keep = bool(rng.random() < 0.2)
    shape = (2, batch, depth) if keep else (batch, 1, depth, 1)
    x = _activation("x", shape, dtype, rng)
    constants, scale = _weighted(rng, dtype, x, (units, depth), 0)
    op = FullyConnected(
        name="layer", inputs=_names([x, *constants]), outputs=("y",), clamp=_clamp(rng), keep_num_dims=keep
    )
    out = (2, batch, units) if keep else (batch, units)
    return _case(op, [x, *constants], _output(out, dtype, scale, rng), rng)


def _draw_pool(kind: type[AveragePool2D] | type[MaxPool2D], rng: Rng, dtype: DType) -> Case:
    kernel, size, stride, padding = _window(rng, 0 if rng.random() < 0.3 else 3)
    (top, bottom), (left, right) = padding
    fits = ((min(top, kernel[0] - 1), min(bottom, kernel[0] - 1)), (min(left, kernel[1] - 1), min(right, kernel[1] - 1)))
    x = _activation("x", (int(rng.choice([1, 1, 2])), *size, _below(rng, 6)), dtype, rng)
    out = window_output_size(size, kernel, stride, (1, 1), fits)
    op = kind(
        name="layer", inputs=("x",), outputs=("y",), kernel=kernel, stride=stride, padding=fits, clamp=_clamp(rng)
    )
    return _case(op, [x], replace(x, name="y", shape=(x.shape[0], *out, x.shape[3])), rng)


def draw_average_pool2d(rng: Rng, dtype: DType) -> Case:
    """Windows that the padding cuts, and one over all."""
    return _draw_pool(AveragePool2D, rng, dtype)


def draw_max_pool2d(rng: Rng, dtype: DType) -> Case:
    """Windows that the padding cuts, and one over all."""
    return _draw_pool(MaxPool2D, rng, dtype)


def draw_mean(rng: Rng, dtype: DType) -> Case:
    """Any axes of up to five dimensions, none and all included."""
    rank = _below(rng, 5)
    shape = tuple(rng.integers(1, 6, rank).tolist())
    axes = (1, 2) if rank == 4 and rng.random() < 0.6 else tuple(i for i in range(rank) if rng.random() < 0.5)
    x = _activation("x", shape, dtype, rng)
    op = Mean(name="layer", inputs=("x",), outputs=("y",), axes=axes, keep_dims=bool(rng.random() < 0.5))
    scale = x.q.scale * float(np.exp(rng.uniform(-3, 2))) if dtype is DType.S8 else 1.0
    return _case(op, [x], _output(op.infer([x])[0], dtype, scale, rng), rng)


def _draw_pair(kind: type[Add] | type[Sub] | type[Mul], rng: Rng, dtype: DType) -> Case:
    """Equal shapes, shapes that broadcast on either side, a constant on either side, one tensor twice."""
    shape = tuple(rng.integers(1, 6, int(rng.integers(0, 5))).tolist())
    shapes = [shape, shape]
    if rng.random() < 0.5:
        small = tuple(1 if rng.random() < 0.5 else n for n in shape)[int(rng.integers(0, len(shape) + 1)) :]
        shapes[rng.integers(2)] = small
    inputs = [_activation(name, s, dtype, rng) for name, s in zip(("x", "z"), shapes, strict=True)]
    if rng.random() < 0.3:
        constant = rng.integers(2)
        inputs[constant] = _constant(inputs[constant], rng)
    elif shapes[0] == shapes[1] and rng.random() < 0.3:
        inputs[1] = inputs[0]
    elif rng.random() < 0.4 and dtype is DType.S8:
        inputs[1] = replace(inputs[1], quant=Quant.per_tensor(inputs[0].q.scale / 4, inputs[1].q.zero_point))
    op = kind(name="layer", inputs=_names(inputs), outputs=("y",), clamp=_clamp(rng))
    scale = 1.0
    if dtype is DType.S8:
        a, b = (t.q.scale for t in inputs)
        scale = (a * b * 128 if kind is Mul else a + b) * float(np.exp(rng.uniform(-3, 3)))
        scale = scale * 1e-7 if kind is Mul and rng.random() < 0.1 else scale
    return _case(op, inputs, _output(op.infer(inputs)[0], dtype, scale, rng), rng)


def draw_add(rng: Rng, dtype: DType) -> Case:
    """See _draw_pair."""
    return _draw_pair(Add, rng, dtype)


def draw_sub(rng: Rng, dtype: DType) -> Case:
    """See _draw_pair."""
    return _draw_pair(Sub, rng, dtype)


def draw_mul(rng: Rng, dtype: DType) -> Case:
    """See _draw_pair; some outputs so fine that sums saturate."""
    return _draw_pair(Mul, rng, dtype)


def draw_concatenation(rng: Rng, dtype: DType) -> Case:
    """One to four inputs along any axis, one of them constant at times, one tensor twice at times."""
    rank = _below(rng, 4)
    axis = int(rng.integers(rank))
    shape = rng.integers(1, 5, rank).tolist()
    like = _activation("y", tuple(shape), dtype, rng)
    inputs = []
    for i in range(_below(rng, 4)):
        shape[axis] = _below(rng, 5)
        inputs.append(replace(like, name=f"x{i}", shape=tuple(shape)))
    if len(inputs) > 1 and rng.random() < 0.3:
        inputs[-1] = _constant(inputs[-1], rng)
    elif rng.random() < 0.3:
        inputs.append(inputs[0])
    op = Concatenation(name="layer", inputs=_names(inputs), outputs=("y",), axis=axis)
    return _case(op, inputs, replace(like, shape=op.infer(inputs)[0]), rng)


def draw_pad(rng: Rng, dtype: DType) -> Case:
    """Any side of up to five dimensions, none included."""
    rank = _below(rng, 5)
    paddings = tuple(tuple(p) for p in (rng.integers(0, 3, (rank, 2)) * (rng.random((rank, 1)) < 0.6)).tolist())
    x = _activation("x", tuple(rng.integers(1, 5, rank).tolist()), dtype, rng)
    op = Pad(name="layer", inputs=("x",), outputs=("y",), paddings=paddings)
    return _case(op, [x], replace(x, name="y", shape=op.infer([x])[0]), rng)


def draw_softmax(rng: Rng, dtype: DType) -> Case:
    """One class, many classes whose sum has few leading zeros, several rows, coarse and fine scales."""
    depth = int(rng.choice([1, 2, 10, 37, 600, 4000], p=[0.1, 0.2, 0.3, 0.2, 0.1, 0.1]))
    rows = () if rng.random() < 0.3 else (_below(rng, 3),)
    x = _activation("x", (*rows, depth), dtype, rng)
    op = Softmax(name="layer", inputs=("x",), outputs=("y",), beta=float(np.float32(rng.choice([1.0, 1.0, 0.3, 2.5]))))
    y = Tensor("y", x.shape, dtype, SOFTMAX_QUANT if dtype is DType.S8 else None)
    return _case(op, [x], y, rng)


def _draw_unary(make: Callable[[Rng], Op], rng: Rng, dtype: DType) -> Case:
    shape = tuple(rng.integers(1, 7, int(rng.integers(0, 4))).tolist())
    x = _activation("x", shape, dtype, rng)
    return _case(make(rng), [x], _output(shape, dtype, 1.0, rng), rng)



def draw_logistic(rng: Rng, dtype: DType) -> Case:
    """Small and large values."""
    return _draw_unary(lambda _: Logistic(name="layer", inputs=("x",), outputs=("y",)), rng, dtype)


def draw_tanh(rng: Rng, dtype: DType) -> Case:
    """Small and large values."""
    return _draw_unary(lambda _: Tanh(name="layer", inputs=("x",), outputs=("y",)), rng, dtype)


def draw_relu(rng: Rng, dtype: DType) -> Case:
    """All bounds."""
    return _draw_unary(lambda r: Relu(name="layer", inputs=("x",), outputs=("y",), clamp=_clamp(r)), rng, dtype)


def draw_leaky_relu(rng: Rng, dtype: DType) -> Case:
    """Slopes below and above 1."""
    slope = float(np.float32(rng.uniform(0, 1.5)))
    return _draw_unary(lambda _: LeakyRelu(name="layer", inputs=("x",), outputs=("y",), alpha=slope), rng, dtype)


def draw_lookup(rng: Rng, dtype: DType) -> Case:
    """A drawn table."""
    x = _activation("x", tuple(rng.integers(1, 7, int(rng.integers(0, 4))).tolist()), dtype, rng)
    table = Tensor("table", (256,), DType.S8, None, rng.integers(-128, 128, 256).astype(np.int8))
    op = Lookup(name="layer", inputs=("x", "table"), outputs=("y",))
    return _case(op, [x, table], replace(x, name="y"), rng)


def draw_quantize(rng: Rng, dtype: DType) -> Case:
    """From float, halves and values that are not numbers included, and from int8."""
    x = _activation("x", (_below(rng, 9), _below(rng, 9)), dtype, rng)
    y = _output(x.shape, DType.S8, float(rng.choice([0.5, 0.037, 1e-3, 1.0])), rng)
    case = _case(Quantize(name="layer", inputs=("x",), outputs=("y",)), [x], y, rng)
    if dtype is DType.F32 and rng.random() < 0.5:
        case.inputs[0].flat[:5] = np.array([np.nan, np.inf, -np.inf, 0.25, -0.25])[: case.inputs[0].size]
    return case


def draw_dequantize(rng: Rng, dtype: DType) -> Case:
    """Every scale and zero point."""
    x = _activation("x", (_below(rng, 9), _below(rng, 9)), dtype, rng)
    op = Dequantize(name="layer", inputs=("x",), outputs=("y",))
    return _case(op, [x], Tensor("y", x.shape, DType.F32), rng)


_BOTH, _FLOAT, _INT8 = (DType.S8, DType.F32), (DType.F32,), (DType.S8,)

DRAWS: Mapping[str, tuple[Callable[[Rng, DType], Case], tuple[DType, ...]]] = {
    "add": (draw_add, _BOTH),
    "average_pool2d": (draw_average_pool2d, _BOTH),
    "concatenation": (draw_concatenation, _BOTH),
    "conv2d": (draw_conv2d, _BOTH),
    "depthwise_conv2d": (draw_depthwise_conv2d, _BOTH),
    "dequantize": (draw_dequantize, _INT8),
    "fully_connected": (draw_fully_connected, _BOTH),
    "leaky_relu": (draw_leaky_relu, _FLOAT),
    "logistic": (draw_logistic, _FLOAT),
    "lookup": (draw_lookup, _INT8),
    "max_pool2d": (draw_max_pool2d, _BOTH),
    "mean": (draw_mean, _BOTH),
    "mul": (draw_mul, _BOTH),
    "pad": (draw_pad, _BOTH),
    "quantize": (draw_quantize, _BOTH),
    "relu": (draw_relu, _FLOAT),
    "softmax": (draw_softmax, _BOTH),
    "sub": (draw_sub, _BOTH),
    "tanh": (draw_tanh, _FLOAT),
}
