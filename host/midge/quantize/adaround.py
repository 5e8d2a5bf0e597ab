"""AdaRound: which way each weight is rounded is learnt, so that the layer's outputs stay near the float ones.

Rounding to nearest is best for each weight alone, not for their sum. Each weight's fraction becomes a variable between
down (0) and up (1) that gradient descent moves, at first freely, then ever more strongly towards 0 or 1. Inputs are
what really reaches the layer in the integer network, so errors of earlier layers are made up for too.

Source: Nagel et al., arXiv 2004.10568: equations 21 to 25 and the constants of its section 4.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from midge.ir.tensor import Array, Tensor
from midge.quantize.bias_correction import squared_error
from midge.quantize.quality import real_values
from midge.quantize.refine import Layer, Step
from midge.quantize.widths import LIMITS
from midge.settings import Width

F32 = NDArray[np.float32]

ITERATIONS = 1000
_BATCH_ROWS = 512
_RATE = 0.01
_LAMBDA = 0.01
# The sigmoid is stretched beyond 0..1 and cut, so that it reaches both.
_STRETCH, _SHIFT = 1.2, -0.1
_BETA_START, _BETA_END, _WARM_UP = 20.0, 2.0, 0.2
# A weight this near to an integer, in steps, may have been made so.
_WHOLE = 1e-3
# So many rows of windows are kept for a layer.
_MOST_ROWS = 1 << 15


def adaround(width: Callable[[str], Width], seed: int, iterations: int = ITERATIONS) -> Step:
    """The step that rounds every layer's weights so; `width` says how wide those of a layer are."""
    return lambda layer: rounded(layer, width(layer.op.name), seed, iterations)


def made_whole(steps: Array) -> Array:
    """Which weights of a layer, in steps, were made integers: zeros, and all others that are where most are.

    Where few are, they are the largest of their channels, whole by their scale alone.
    """
    given = np.rint(steps)
    whole, others = np.abs(steps - given) < _WHOLE, given != 0
    few = others.any() and whole[others].mean() < 0.5
    return np.asarray(whole & ~others if few else whole)


def rounded(layer: Layer, width: Width, seed: int, iterations: int) -> Sequence[Tensor]:
    """The layer's weights rounded by AdaRound; none when that does not lower the error, or for two values only.

    What is an integer already stays: zeros of a pruned layer, and the few values of a clustered one.
    """
    if width == "binary":
        return ()
    problem = _problem(layer, np.random.default_rng(seed))
    if problem is None:
        return ()
    weights = layer.tensors[1]
    given, whole = np.rint(problem.fractions), made_whole(problem.fractions)
    if whole.all():
        return ()
    problem = replace(problem, fractions=np.where(whole, given, problem.fractions))
    down = np.floor(problem.fractions)
    up = _learnt(problem, problem.fractions - down, np.random.default_rng(seed), iterations)
    low, high = LIMITS[width]
    q = np.clip(down + up, low, high).astype(np.int8)
    better = replace(weights, data=np.ascontiguousarray(problem.restore(q)))
    tensors = [better if t.name == weights.name else t for t in layer.tensors]
    return (better,) if squared_error(layer, tensors) < squared_error(layer, layer.tensors) else ()


@dataclass(frozen=True, eq=False)
class _Problem:
    """A layer as matrix products, one per group: `rows` (G, P, K) times weights (G, K, O) plus bias, clamped.

    `fractions` are the float weights in steps of their scale, `scales` those steps, `wanted` (G, P, O) float outputs.
    `restore` brings (G, K, O) back to the weights' own order.
    """

    rows: F32
    fractions: NDArray[np.float64]
    scales: F32
    bias: F32
    wanted: F32
    clamp: tuple[float, float]
    restore: Callable[[Array], Array]


def _problem(layer: Layer, rng: np.random.Generator) -> _Problem | None:
    """None for a layer that is no plain sum of products of windows."""
    lowered = layer.op.as_matrix(layer.float_tensors)
    weights = layer.tensors[1]
    if lowered is None or weights.quant is None:
        return None
    x = layer.tensors[0]
    rows, wanted = [], []
    each = max(1, _MOST_ROWS // len(layer.inputs))
    for sample, want in zip(layer.inputs, layer.wanted, strict=True):
        real = real_values(x, sample[0]).astype(np.float32)
        windows, outputs = lowered.rows(real), lowered.outputs(want)
        some = np.arange(windows.shape[1])
        if len(some) > each:
            some = rng.choice(some, each, replace=False)
        rows.append(windows[:, some])
        wanted.append(outputs[:, some])
    shape = [-1 if i == (weights.q.axis or 0) else 1 for i in range(len(weights.shape))]
    scales = np.broadcast_to(np.reshape(np.asarray(weights.q.scales), shape), weights.shape)
    float_weights = np.asarray(layer.float_tensors[1].data, np.float64)
    outs = lowered.weights(scales)[:, :1].astype(np.float32)
    bias = np.zeros((outs.shape[0], 1, outs.shape[2]), np.float32)
    if (index := layer.op.bias_input) is not None and index < len(layer.tensors):
        b = layer.tensors[index]
        bias = (np.asarray(b.data, np.float64) * np.asarray(b.q.scales)).astype(np.float32).reshape(bias.shape)
    return _Problem(
        np.concatenate(rows, axis=1),
        lowered.weights(float_weights / scales),
        outs,
        bias,
        np.concatenate(wanted, axis=1),
        getattr(layer.op, "clamp", (-np.inf, np.inf)),
        lowered.restore,
    )


def _learnt(p: _Problem, fractions: Array, rng: np.random.Generator, iterations: int) -> Array:
    """Which weights are rounded up: 0 or 1, of the fractions' shape; never those without a fraction."""
    share = np.clip((fractions - _SHIFT) / _STRETCH, 1e-4, 1 - 1e-4)
    v = np.log(share / (1 - share)).astype(np.float32)
    base = np.floor(p.fractions).astype(np.float32)
    first, second = np.zeros_like(v), np.zeros_like(v)
    count = p.rows.shape[1]
    # Shuffled once, a batch is any piece: picking rows anew each time would take longer than all else.
    order = rng.permutation(count)
    shuffled = replace(p, rows=np.ascontiguousarray(p.rows[:, order]), wanted=np.ascontiguousarray(p.wanted[:, order]))
    scale = 1.0 / max(float((p.wanted**2).mean()), 1e-12)
    for step in range(iterations):
        begin = int(rng.integers(0, max(count - _BATCH_ROWS, 0) + 1))
        sigmoid = 1 / (1 + np.exp(-v))
        h = np.clip(sigmoid * _STRETCH + _SHIFT, 0, 1)
        slope = np.where((h > 0) & (h < 1) & (fractions > 0), sigmoid * (1 - sigmoid) * _STRETCH, 0)
        gradient = (
            _output_gradient(shuffled, (base + h) * p.scales, slice(begin, begin + _BATCH_ROWS)) * p.scales * scale
        )
        done = step / iterations
        if done > _WARM_UP:
            beta = _BETA_END + (_BETA_START - _BETA_END) * (1 - (done - _WARM_UP) / (1 - _WARM_UP))
            away = 2 * h - 1
            gradient -= _LAMBDA * 2 * beta * np.sign(away) * np.abs(away) ** (beta - 1) / h.size * h.shape[2]
        gradient *= slope
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        a, b = 1 - 0.9 ** (step + 1), 1 - 0.999 ** (step + 1)
        v -= _RATE * (first / a) / (np.sqrt(second / b) + 1e-8)
    return np.asarray(v >= 0, np.float64)


def _output_gradient(p: _Problem, weights: F32, some: slice) -> F32:
    """Of the mean squared error of the outputs, by the weights (G, K, O)."""
    rows = p.rows[:, some]
    raw = rows @ weights + p.bias
    low, high = p.clamp
    difference = np.where((raw > low) & (raw < high), np.clip(raw, low, high) - p.wanted[:, some], 0)
    gradient: F32 = (2.0 / raw.shape[1] / raw.shape[2]) * rows.transpose(0, 2, 1) @ difference.astype(np.float32)
    return gradient
