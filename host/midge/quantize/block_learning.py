"""How the weights of a block are learnt: gradient descent over integers that are rounded on the way forward."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array, Tensor
from midge.numerics.matrix_form import MatrixForm
from midge.quantize.adaround import made_whole
from midge.quantize.backward import evaluated, pulled_back
from midge.quantize.blocks import Block
from midge.quantize.quality import real_values
from midge.quantize.widths import LIMITS
from midge.settings import Width

F32 = NDArray[np.float32]

ITERATIONS = 300
_BATCH = 16
# Steps of weights, of the logarithm of scales, and of biases beside the layer's output scale.
_RATES = (0.02, 0.002, 0.1)
# How far a weight starts from the edge to the next integer, in steps.
_INSIDE = 0.45


@dataclass(frozen=True, eq=False)
class Learnt:
    """A layer's integers in the weights' own shape, the scale of each of its channels, and its real bias."""

    name: str
    integers: Array
    scales: NDArray[np.float64]
    bias: NDArray[np.float64]


class _Variables:
    """What is learnt of one layer: `steps` (G, K, O) before rounding, `log_scale` and `bias` (G, 1, O).

    Scales that are powers of two apart, as all are of a layer with one multiplier, stay so: they move together.
    """

    def __init__(self, op: Op, graph: Graph, float_graph: Graph, width: Width) -> None:
        weights, *bias = (graph.tensors[n] for n in op.inputs[1:])
        form = op.as_matrix(graph.inputs_of(op))
        assert form is not None
        self.op, self.form, self.weights = op, form, weights
        output = graph.tensors[op.outputs[0]]
        self.reach = 1e-3 if output.quant is None else output.q.scale
        self.low, self.high = LIMITS[width]
        shape = [-1 if i == (weights.q.axis or 0) else 1 for i in range(len(weights.shape))]
        scales = np.broadcast_to(np.reshape(np.asarray(weights.q.scales), shape), weights.shape)
        self.scales = np.asarray(form.weights(scales)[:, :1], np.float32)
        integers = np.asarray(form.weights(np.asarray(weights.data)), np.float64)
        exact = form.weights(np.asarray(_float_weights(op, float_graph), np.float64) / scales)
        self.steps = (integers + np.clip(exact - integers, -_INSIDE, _INSIDE)).astype(np.float32)
        mantissas = np.frexp(self.scales)[0]
        self.together = bool((mantissas == mantissas.flat[0]).all())
        # What was an integer stays: zeros of a pruned layer, and the few values of a clustered one.
        self.free = ~made_whole(exact)
        self.log_scale = np.zeros_like(self.scales)
        self.bias = np.zeros_like(self.scales)
        if bias:
            real = np.asarray(bias[0].data, np.float64) * np.asarray(bias[0].q.scales)
            self.bias = real.astype(np.float32).reshape(self.scales.shape)
        self.learns_bias = bool(bias)
        self.moments = [(np.zeros_like(v), np.zeros_like(v)) for v in (self.steps, self.log_scale, self.bias)]

    def integers(self) -> F32:
        return np.clip(np.rint(self.steps), self.low, self.high)

    def step(self) -> F32:
        """The size of an integer step, by channel."""
        return np.asarray(self.scales * np.exp(self.log_scale), np.float32)

    def move(self, gradients: Sequence[F32], rate: float, count: int) -> None:
        """One step of Adam (Kingma and Ba, arXiv 1412.6980)."""
        sizes = (_RATES[0], _RATES[1], _RATES[2] * self.reach if self.learns_bias else 0.0)
        variables = (self.steps, self.log_scale, self.bias)
        for value, gradient, (first, second), size in zip(variables, gradients, self.moments, sizes, strict=True):
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient**2 - second)
            sure = np.sqrt(second / (1 - 0.999**count)) + 1e-12
            value -= (rate * size) * (first / (1 - 0.9**count)) / sure


def learn(
    graph: Graph,
    float_graph: Graph,
    block: Block,
    given: Array,
    wanted: Array,
    weights: Array,
    width: Callable[[str], Width],
    seed: int,
    iterations: int = ITERATIONS,
) -> list[Learnt]:
    """The layers of `block`, learnt on the integers `given` to it so that it gives `wanted`, errors counted by
    `weights`; the samples are along axis 0. Layers of binary weights stay as they are."""
    ops = [next(op for op in graph.ops if op.name == part.name) for part in block.ops]
    layers = {
        op.name: _Variables(op, graph, float_graph, width(op.name))
        for op in ops
        if op.weight_axis and width(op.name) != "binary"
    }
    source = np.asarray(real_values(graph.tensors[block.source], given), np.float32)
    # What reads the block's input sees the same windows again and again.
    windows = {op.name: _windows(layers[op.name], source) for op in ops if _reads(op, block, layers)}
    rng = np.random.default_rng(seed)
    scale = np.float32(1.0 / max(float((weights * wanted**2).mean()), 1e-12))
    for count in range(1, iterations + 1):
        some = rng.choice(len(source), min(_BATCH, len(source)), replace=False)
        rows = {name: w[:, some].reshape(len(w), -1, w.shape[-1]) for name, w in windows.items()}
        values, free = _forward(float_graph, graph, block, layers, source[some], rows)
        error = (values[block.result] - wanted[some]) * weights[some]
        gradient = np.asarray(2 * scale / error.size * error, np.float32)
        rate = 0.5 * (1 + np.cos(np.pi * count / iterations))
        _backward(float_graph, block, layers, values, free, rows, gradient, rate, count)
    return [_learnt(v) for v in layers.values()]


def _reads(op: Op, block: Block, layers: Mapping[str, _Variables]) -> bool:
    return op.name in layers and op.inputs[0] == block.source


def _windows(layer: _Variables, source: F32) -> Array:
    """(G, samples, P, K)."""
    rows = layer.form.rows(source)
    return np.ascontiguousarray(rows.reshape(len(rows), len(source), -1, rows.shape[-1]))


def _forward(
    float_graph: Graph,
    graph: Graph,
    block: Block,
    layers: Mapping[str, _Variables],
    source: F32,
    rows: dict[str, Array],
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Real values as the integer network has them, and where clamps and ranges let them move.

    The `rows` of layers that are not there yet are added.
    """
    values: dict[str, Array] = {block.source: source}
    free: dict[str, Array] = {}
    for op in block.ops:
        name = op.outputs[0]
        if op.name in layers:
            layer = layers[op.name]
            if op.name not in rows:
                rows[op.name] = layer.form.rows(values[op.inputs[0]])
            sums = rows[op.name] @ (layer.integers() * layer.step()) + layer.bias
            size = (len(source), *graph.tensors[name].shape[1:])
            low, high = getattr(op, "clamp", (-np.inf, np.inf))
            raw = layer.form.place(sums, size)
            result = np.clip(raw, low, high)
            free[name] = (raw > low) & (raw < high)
        else:
            result = evaluated(float_graph, op, values)[0]
            free[name] = np.asarray(True)
        values[name], inside = _rounded(graph.tensors[name], result, op.is_view)
        free[name] = free[name] & inside
    return values, free


def _rounded(tensor: Tensor, real: Array, is_view: bool) -> tuple[Array, Array]:
    """Real values as `tensor` holds them, and which its range holds; a view's are rounded already."""
    if tensor.quant is None or is_view:
        return real, np.asarray(True)
    scale, zero = np.float32(tensor.q.scale), tensor.q.zero_point
    low, high = tensor.dtype.limits
    q = np.rint(real / scale) + zero
    return ((np.clip(q, low, high) - zero) * scale).astype(np.float32), (q >= low) & (q <= high)


def _backward(
    float_graph: Graph,
    block: Block,
    layers: Mapping[str, _Variables],
    values: Mapping[str, Array],
    free: Mapping[str, Array],
    rows: Mapping[str, Array],
    gradient: Array,
    rate: float,
    count: int,
) -> None:
    gradients = {block.result: gradient}
    for op in reversed(block.ops):
        own = gradients.get(op.outputs[0])
        if own is None:
            continue
        own = np.asarray(own * free[op.outputs[0]], np.float32)
        if op.name not in layers:
            for name, part in pulled_back(float_graph, op, values, own).items():
                gradients[name] = gradients[name] + part if name in gradients else part
            continue
        layer = layers[op.name]
        sums = layer.form.outputs(own)
        if op.inputs[0] != block.source:
            step = (layer.integers() * layer.step()).transpose(0, 2, 1)
            part = layer.form.back(sums @ step, values[op.inputs[0]].shape)
            name = op.inputs[0]
            gradients[name] = gradients[name] + part if name in gradients else part
        layer.move(_by_variables(layer, rows[op.name], sums), rate, count)


def _by_variables(layer: _Variables, rows: Array, sums: Array) -> tuple[F32, F32, F32]:
    by_weights = rows.transpose(0, 2, 1) @ sums * layer.step()
    inside = (layer.steps > layer.low - 0.5) & (layer.steps < layer.high + 0.5)
    by_scale = (by_weights * layer.integers()).sum(axis=1, keepdims=True)
    if layer.together:
        by_scale = np.full_like(by_scale, by_scale.mean())
    return by_weights * (inside & layer.free), by_scale, sums.sum(axis=1, keepdims=True)


def _learnt(layer: _Variables) -> Learnt:
    form: MatrixForm = layer.form
    integers = np.ascontiguousarray(form.restore(layer.integers()).astype(np.int8))
    shape = layer.weights.shape
    wide = form.restore(np.broadcast_to(layer.step(), layer.steps.shape))
    axis = layer.weights.q.axis or 0
    scales = np.moveaxis(wide, axis, 0).reshape(shape[axis], -1)[:, 0].astype(np.float64)
    if len(layer.weights.q.scales) == 1:
        scales = scales[:1]
    biases = form.restore(np.broadcast_to(layer.bias, layer.steps.shape))
    bias = np.moveaxis(biases, axis, 0).reshape(shape[axis], -1)[:, 0].astype(np.float64)
    return Learnt(layer.op.name, integers, scales, bias)


def _float_weights(op: Op, float_graph: Graph) -> Array:
    same = next(o for o in float_graph.ops if o.name == op.name)
    return np.asarray(float_graph.tensors[same.inputs[1]].data)
