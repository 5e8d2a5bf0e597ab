"""A float network with what compression must get through: windows, depthwise, residual add, concatenation, classes."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np

from midge.compress.apply import Material
from midge.data import Dataset, load_data
from midge.ir.graph import Clamp, Graph
from midge.ops.add import Add
from midge.ops.concatenation import Concatenation
from midge.ops.conv2d import Conv2D
from midge.ops.depthwise_conv2d import DepthwiseConv2D
from midge.ops.fully_connected import FullyConnected
from midge.ops.mean import Mean
from midge.settings import Settings
from small_graphs import floats, graph, pointwise

SAME = ((1, 1), (1, 1))
RELU: Clamp = (0.0, inf)
CHANNELS, SIZE, CLASSES = 12, 6, 5


def network(seed: int = 0) -> Graph:
    """stem 3x3 -> depthwise 3x3 -> pointwise (+ stem) -> concatenated with a 3x3 of it -> mean -> classes."""
    rng = np.random.default_rng(seed)
    c = CHANNELS
    shapes = {
        "stem": (c, 3, 3, 2),
        "dw": (1, 3, 3, c),
        "pw": (c, 1, 1, c),
        "wide": (2 * c, 3, 3, c),
        "fc": (CLASSES, 3 * c),
    }
    units = {"stem": c, "dw": c, "pw": c, "wide": 2 * c, "fc": CLASSES}
    tensors = [floats(f"{n}_w", s, rng.normal(0, 0.3, s)) for n, s in shapes.items()]
    tensors += [floats(f"{n}_b", (u,), rng.normal(0, 0.1, u)) for n, u in units.items()]
    image = (1, SIZE, SIZE)
    depths = {"x": 2, "a": c, "d": c, "p": c, "s": c, "w": 2 * c, "j": 3 * c}
    tensors += [floats(n, (*image, depth)) for n, depth in depths.items()]
    tensors += [floats("m", (1, 3 * c)), floats("y", (1, CLASSES))]
    windowed = {"stride": (1, 1), "dilation": (1, 1), "padding": SAME, "clamp": RELU}
    ops = [
        Conv2D(name="stem", inputs=("x", "stem_w", "stem_b"), outputs=("a",), **windowed),
        DepthwiseConv2D(name="dw", inputs=("a", "dw_w", "dw_b"), outputs=("d",), **windowed),
        pointwise("pw", ["d", "pw_w", "pw_b"], "p"),
        Add(name="add", inputs=("p", "a"), outputs=("s",), clamp=RELU),
        Conv2D(name="wide", inputs=("s", "wide_w", "wide_b"), outputs=("w",), **windowed),
        Concatenation(name="join", inputs=("s", "w"), outputs=("j",), axis=3),
        Mean(name="mean", inputs=("j",), outputs=("m",), axes=(1, 2), keep_dims=False),
        FullyConnected(name="fc", inputs=("m", "fc_w", "fc_b"), outputs=("y",), clamp=(-inf, inf)),
    ]
    return graph(["x"], ["y"], tensors, ops)


def dataset(path: Path, of: Graph, samples: int = 36, seed: int = 1) -> Dataset:
    """Smooth inputs that differ in size by channel, in splits 0, 1 and 2, with classes that are drawn."""
    rng = np.random.default_rng(seed)
    shape = of.input_tensors[0].shape[1:]
    x = rng.normal(0, 1, (samples, *shape)).cumsum(axis=1) * np.linspace(0.2, 1, shape[-1])
    y = rng.integers(0, of.output_tensors[0].shape[-1], samples)
    np.savez(path, x=x.astype(np.float32), y=y, split=np.arange(samples) % 3)
    return load_data(path, of)


def material(of: Graph, data: Dataset | None = None) -> Material:
    """What a step is given beside the graph."""
    return Material(of, data, Settings())


def weights_of(of: Graph, layer: str) -> np.ndarray:
    """A layer's weights."""
    op = next(op for op in of.ops if op.name == layer)
    return np.asarray(of.tensors[op.inputs[next(iter(op.weight_axis))]].data)


def sparse(of: Graph, every: int = 3) -> Graph:
    """With every third weight zero, and a channel of nothing else in `wide`."""
    tensors = dict(of.tensors)
    for name in ("stem", "dw", "pw", "wide", "fc"):
        data = np.array(tensors[f"{name}_w"].data)
        data.reshape(-1)[::every] = 0
        if name == "wide":
            data[3] = 0
        tensors[f"{name}_w"] = replace(tensors[f"{name}_w"], data=data)
    return replace(of, tensors=tensors)
