"""Draws layers for the kernels of cores without SIMD: sizes as networks have them, and sums that reach every limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice

import numpy as np

from differential.draw_dense import DRAWS as DENSE
from differential.draw_depthwise import draw_usual_depthwise
from differential.draw_tensors import Case, Rng
from midge.kernels.select import layer_of, variants
from midge.kernels.variant import Variant

DRAWS: Mapping[str, tuple[Callable[[Rng], Case], ...]] = {
    "conv2d": (DENSE["conv2d", "dsp_window"], DENSE["conv2d", "dsp_pointwise"]),
    "depthwise_conv2d": (draw_usual_depthwise,),
    "fully_connected": (DENSE["fully_connected", "dsp"],),
}
VARIANTS = tuple(v for kind in DRAWS for v in variants(kind) if "scalar" in v.needs)
RISCV_VARIANTS = tuple(v for kind in DRAWS for v in variants(kind) if "rv32m" in v.needs)


def scalar_cases(variant: Variant, count: int, seed: int = 0) -> list[Case]:
    """`count` cases that the variant fits; in some all inputs and weights are extreme. Fails when few of 16 fit."""
    rng = np.random.default_rng([seed, count, 77])
    draws = DRAWS[variant.op]
    drawn = (_extreme(draws[i % len(draws)](rng), rng, i) for i in range(16 * count))
    fitting = list(islice((case for case in drawn if variant.fits(layer_of(case.graph, 0))), count))
    assert len(fitting) == count
    return [replace(case, graph=replace(case.graph, name=f"{variant.name}_{i}")) for i, case in enumerate(fitting)]


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
