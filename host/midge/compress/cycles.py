"""What a layer takes on the emulated core, measured by itself: alone between an input and an output."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from midge.ir.graph import Graph, Op
from midge.quantize.model import quantize_with
from midge.settings import Settings
from midge.tune.gain import cost

# What values a layer sees does not matter for what it takes, only that there are some.
_SAMPLES = 4


def alone(graph: Graph, op: Op) -> Graph:
    """A network of nothing but `op`, whose one input that is computed is the network's."""
    tensors = {name: graph.tensors[name] for name in (*op.inputs, *op.outputs)}
    return replace(graph, inputs=op.inputs[:1], outputs=op.outputs, tensors=tensors, ops=(op,), updates={})


def cycles(graph: Graph, settings: Settings) -> int:
    """Of one inference of a float network on `settings.board`, in the precision that is asked for.

    Raises what midge.tune.gain.cost does.
    """
    return cost(deployed(graph, settings), settings).cycles


def deployed(graph: Graph, settings: Settings) -> Graph:
    """A float network in the precision that is asked for, over values that are drawn; an integer one as it is."""
    if settings.precision == "float" or not graph.is_float:
        return graph
    rng = np.random.default_rng(settings.seed)
    shapes = [t.shape for t in graph.input_tensors]
    samples = [[rng.normal(0, 1, shape).astype(np.float32) for shape in shapes] for _ in range(_SAMPLES)]
    plain = replace(settings, equalize=False, rounding="nearest", bias_correction="none", ranges="minmax")
    return quantize_with(graph, replace(plain, layers={}, activations={}, raw_input="none"), samples)
