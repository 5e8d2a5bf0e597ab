"""Draws layers for the kernels of cores without SIMD: sizes as networks have them, and sums that reach every limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice

import numpy as np

from differential.draw_dense import DRAWS as DENSE
from differential.draw_dense import SCALAR as DENSE_SCALAR
from differential.draw_dense import (
    draw_first_layer,
    draw_long_rows,
    draw_one_channel,
    draw_row_after_relu,
    draw_row_of_large_sums,
    draw_row_of_many_products,
    draw_row_of_small_sums,
    draw_row_of_uneven_groups,
    draw_whole_tiles,
)
from differential.draw_depthwise import draw_usual_depthwise
from differential.draw_sparse import VARIANTS as SPARSE
from differential.draw_tensors import Case, Rng, one_op
from midge.ir.tensor import DType, Quant, Tensor
from midge.kernels.select import layer_of, variants
from midge.kernels.variant import Variant
from midge.ops.conv2d import Conv2D

DRAWS: Mapping[str, tuple[Callable[[Rng], Case], ...]] = {
    "conv2d": (DENSE["conv2d", "dsp_window"], DENSE["conv2d", "dsp_pointwise"]),
    "depthwise_conv2d": (draw_usual_depthwise,),
    "fully_connected": (DENSE["fully_connected", "dsp"],),
}
# What such layers rarely fit.
NARROW: Mapping[tuple[str, str], tuple[Callable[[Rng], Case], ...]] = {
    ("conv2d", "riscv_planes"): (draw_one_channel,),
    **{key: (*[draw] * 4, draw_whole_tiles) for key, draw in DENSE_SCALAR.items()},
    ("fully_connected", "avr_row"): (
        draw_row_after_relu,
        draw_row_of_small_sums,
        draw_row_of_large_sums,
        draw_row_of_uneven_groups,
        draw_row_of_many_products,
        draw_row_after_relu,
        *DRAWS["fully_connected"],
    ),
    ("conv2d", "avr_line"): (draw_first_layer, *DRAWS["conv2d"]),
    ("conv2d", "avr_line_short"): (draw_first_layer,),
}
# One template and one header for three cores.
WINOGRAD = {v.name: v for v in variants("conv2d") if (v.op, v.name) in DENSE_SCALAR}
APART = (*SPARSE, *WINOGRAD.values())
VARIANTS = tuple(v for kind in DRAWS for v in variants(kind) if "scalar" in v.needs and v not in APART)
AVR_VARIANTS = tuple(v for kind in DRAWS for v in variants(kind) if "avr" in v.needs and v not in SPARSE)
RISCV_VARIANTS = tuple(v for kind in DRAWS for v in variants(kind) if "rv32m" in v.needs and v not in APART)
MAC16_VARIANTS = tuple(v for kind in DRAWS for v in variants(kind) if "mac16" in v.needs)


def scalar_cases(variant: Variant, count: int, seed: int = 0) -> list[Case]:
    """`count` cases that the variant fits; in some all inputs and weights are extreme. Fails when few of 16 fit."""
    rng = np.random.default_rng([seed, count, 77])
    draws = NARROW.get((variant.op, variant.name), DRAWS[variant.op])
    drawn = (_extreme(draws[i % len(draws)](rng), rng, i) for i in range(16 * count))
    fitting = list(islice((case for case in drawn if variant.fits(layer_of(case.graph, 0))), count))
    assert len(fitting) == count
    return [replace(case, graph=replace(case.graph, name=f"{variant.name}_{i}")) for i, case in enumerate(fitting)]


def long_rows(count: int) -> list[Case]:
    """Matrix products of rows that MAC16 kernels do in parts."""
    rng = np.random.default_rng([count, 673])
    drawn = [_extreme(draw_long_rows(rng), rng, i) for i in range(count)]
    return [replace(case, graph=replace(case.graph, name=f"long_{i}")) for i, case in enumerate(drawn)]


def _extreme(case: Case, rng: Rng, index: int) -> Case:
    """Every fourth case with weights +-127 and inputs -128 or 127: pairs of products at the ends of 16 bits."""
    if index % 4:
        return case
    name = case.op.inputs[1]
    weights = case.graph.tensors[name]
    data = rng.choice(np.array([-127, 127], np.int8), weights.shape)
    graph = replace(case.graph, tensors={**case.graph.tensors, name: replace(weights, data=data)})
    inputs = tuple(rng.choice(np.array([-128, 127], np.int8), value.shape) for value in case.inputs)
    return Case(graph, inputs)


def pointwise_64() -> Case:
    """64 channels to 64 on 25x5 pixels, with weights as wide as trained ones are (a mean size of 40) and a RELU."""
    rng = np.random.default_rng(64)
    x = Tensor("x", (1, 25, 5, 64), DType.S8, Quant.per_tensor(0.02, -128))
    data = np.clip(np.rint(rng.normal(0, 50, (64, 1, 1, 64))), -127, 127).astype(np.int8)
    scales = tuple(float(np.float32(scale)) for scale in np.exp(rng.uniform(-6, -5, 64)))
    weights = Tensor("w", data.shape, DType.S8, Quant(scales, (0,) * 64, 0), data)
    bias = Tensor("b", (64,), DType.S32, data=rng.integers(-9000, 9001, 64).astype(np.int32))
    y = Tensor("y", x.shape, DType.S8, Quant.per_tensor(0.03, -128))
    op = Conv2D(
        name="layer",
        inputs=("x", "w", "b"),
        outputs=("y",),
        stride=(1, 1),
        dilation=(1, 1),
        padding=((0, 0), (0, 0)),
        clamp=(0.0, float("inf")),
    )
    return one_op(op, [x, weights, bias], y, rng)
