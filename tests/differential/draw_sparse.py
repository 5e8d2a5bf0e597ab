"""Draws matrices with many zeros, for kernels that leave these out: powers of two, few different values, the ends of
int8, channels without weights."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np

from differential.draw_dense import _output
from differential.draw_tensors import Case, Rng, activation, names, one_op
from midge.ir.graph import Clamp, Op
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.kernels.select import layer_of, variants
from midge.kernels.variant import Variant
from midge.ops.conv2d import Conv2D
from midge.ops.fully_connected import FullyConnected

VARIANTS = tuple(
    v for kind in ("fully_connected", "conv2d") for v in variants(kind) if v.name.endswith(("_code", "_nonzeros"))
)


def sparse_cases(variant: Variant, count: int, seed: int = 0, widest: int = 160) -> list[Case]:
    """`count` cases that the variant fits. Fails when few of 16 fit."""
    rng = np.random.default_rng([seed, count, 7])
    pointwise = variant.op == "conv2d"
    drawn = (draw_sparse_matrix(rng, widest, pointwise) for _ in range(16 * count))
    fitting = list(islice((case for case in drawn if variant.fits(layer_of(case.graph, 0))), count))
    assert len(fitting) == count
    return [replace(case, graph=replace(case.graph, name=f"{variant.name}_{i}")) for i, case in enumerate(fitting)]


def draw_sparse_matrix(rng: Rng, widest: int, pointwise: bool) -> Case:
    """One row of up to `widest` activations, or some pixels, times a matrix of which three to 30 of 100 weights are not
    zero."""
    depth, units = int(rng.integers(1, widest + 1)), int(rng.integers(1, 24))
    if pointwise:
        depth = -depth // 4 * -4
    weights = _weights(rng, (units, depth))
    size = tuple(int(n) for n in rng.integers(1, 4, 2)) if pointwise else ()
    x = activation("x", (1, *size, depth), DType.S8, rng)
    w_scale = float(np.float32(np.exp(rng.uniform(-5, -3))))
    spread = max(float((weights.astype(np.int64) ** 2).sum(axis=1).max()) ** 0.5, 1.0) * float(
        np.exp(rng.uniform(0, 2))
    )
    if rng.random() < 0.5:
        scales = tuple(float(np.float32(w_scale * s)) for s in np.exp(rng.uniform(-1, 1, units)))
        quant = Quant(scales, (0,) * units, 0)
    else:
        quant = Quant.per_tensor(w_scale, 0)
    bias = rng.integers(-20_000, 20_001, units).astype(np.int32)
    shaped = weights.reshape(units, 1, 1, depth) if pointwise else weights
    constants = [Tensor("w", shaped.shape, DType.S8, quant, shaped), Tensor("b", (units,), DType.S32, data=bias)]
    y, clamp = _output(rng, (1, *size, units), w_scale * x.q.scale * spread)
    case = one_op(_op(names([x, *constants]), clamp, pointwise), [x, *constants], y, rng)
    if rng.random() < 0.25:
        return Case(case.graph, tuple(rng.choice(np.array([-128, 127], np.int8), v.shape) for v in case.inputs))
    return case


def _op(inputs: tuple[str, ...], clamp: Clamp, pointwise: bool) -> Op:
    if not pointwise:
        return FullyConnected(name="layer", inputs=inputs, outputs=("y",), clamp=clamp)
    return Conv2D(
        name="layer",
        inputs=inputs,
        outputs=("y",),
        stride=(1, 1),
        dilation=(1, 1),
        padding=((0, 0), (0, 0)),
        clamp=clamp,
    )


def _weights(rng: Rng, shape: tuple[int, int]) -> Array:
    kind = rng.integers(4)
    if kind == 0:
        values = rng.integers(-128, 128, shape)
    elif kind == 1:
        values = rng.choice([-1, 1], shape) << rng.integers(0, 8, shape)
    elif kind == 2:
        values = rng.choice(rng.integers(-128, 128, 4), shape)
    else:
        values = rng.choice([-128, -127, 127], shape)
    kept = rng.random(shape) < rng.uniform(0.03, 0.3)
    return np.clip(np.where(kept, values, 0), -128, 127).astype(np.int8)
