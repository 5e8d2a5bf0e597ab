"""Draws int8 layers of realistic sizes for kernels that keep indices of few weights, or codes of rare ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from differential.draw_dense import DRAWS as DENSE
from differential.draw_depthwise import draw_usual_depthwise
from differential.draw_tensors import Case, Rng, clustered_weights
from midge.ir.tensor import Tensor
from midge.ir.verify import verify
from midge.kernels.select import layer_of
from midge.kernels.variant import Variant

_LAYERS: Mapping[str, Sequence[Callable[[Rng], Case]]] = {
    "conv2d": (DENSE["conv2d", "dsp_pointwise"], DENSE["conv2d", "dsp_window"]),
    "depthwise_conv2d": (draw_usual_depthwise,),
    "fully_connected": (DENSE["fully_connected", "dsp"],),
}


def clustered_cases(variant: Variant, count: int, counts: Sequence[int] = (3, 4, 11, 16, 50, 64)) -> list[Case]:
    """`count` layers that the variant fits, each with weights of at most so many values, one of `counts`."""
    return _fitting(variant, count, lambda weights, rng: clustered_weights(weights, rng, counts))


def coded_cases(variant: Variant, count: int) -> list[Case]:
    """`count` layers that the variant fits: weights that are zero for the most part, or few values, some often."""

    def rare(weights: Tensor, rng: Rng) -> Tensor:
        shape, most = weights.shape, int(rng.choice([3, 20, 127]))
        if rng.random() < 0.5:
            data = rng.integers(-most, most + 1, shape) * (rng.random(shape) < rng.choice([0.03, 0.2]))
        else:
            data = np.clip(np.rint(rng.normal(0, rng.choice([0.4, 2, 6]), shape)), -most, most)
        return replace(weights, data=(data - int(rng.choice([0, 0, 0, 1]))).astype(np.int8))

    return _fitting(variant, count, rare)


def _fitting(variant: Variant, count: int, make: Callable[[Tensor, Rng], Tensor]) -> list[Case]:
    rng, found = np.random.default_rng([9, count]), []
    layers = _LAYERS[variant.op]
    while len(found) < count:
        case = layers[int(rng.integers(len(layers)))](rng)
        weights = make(case.graph.tensors["w"], rng)
        graph = replace(case.graph, name=f"case_{len(found)}", tensors={**case.graph.tensors, "w": weights})
        if variant.fits(layer_of(graph, 0)):
            found.append(replace(case, graph=verify(graph)))
    return found
