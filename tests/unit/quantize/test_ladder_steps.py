"""The steps of the quantization ladder, each held against what it promises."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from midge.errors import SettingsError
from midge.interpreter import interpret
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array
from midge.measure.accuracy import real_values
from midge.numerics.fixed_point import quantize_array
from midge.ops.add import Add
from midge.ops.conv2d import Conv2D
from midge.ops.depthwise_conv2d import DepthwiseConv2D
from midge.ops.fully_connected import FullyConnected
from midge.ops.mean import Mean
from midge.quantize.equalize import equalize
from midge.quantize.model import quantize_with
from midge.quantize.widths import LIMITS
from midge.settings import Settings, Width
from small_graphs import NO_PADDING, floats, graph

CHANNELS = 16
SAME = ((1, 1), (1, 1))


def vision_network(spread: float, clamp: tuple[float, float] = (0.0, inf), seed: int = 0) -> Graph:
    """Convolution, depthwise, pointwise, residual add, average, classes.

    The channels of the first two activations are up to `spread` apart, and the next weights undo it, so that the float
    function depends on `spread` by rounding alone: a network like this is what naive int8 breaks.
    """
    rng = np.random.default_rng(seed)
    apart = spread ** rng.uniform(0, 1, CHANNELS)
    apart[0], apart[1] = 1, spread
    first = rng.normal(0, 0.4, (CHANNELS, 3, 3, 1)) * apart[:, None, None, None]
    middle = rng.normal(0, 0.4, (1, 3, 3, CHANNELS))
    last = rng.normal(0, 0.3, (CHANNELS, 1, 1, CHANNELS)) / apart
    again = rng.normal(0, 0.3, (CHANNELS, 1, 1, CHANNELS))
    constants = [
        floats("w0", first.shape, first),
        floats("b0", (CHANNELS,), rng.normal(0, 0.1, CHANNELS) * apart),
        floats("w1", middle.shape, middle),
        floats("b1", (CHANNELS,), rng.normal(0, 0.1, CHANNELS) * apart),
        floats("w2", last.shape, last),
        floats("b2", (CHANNELS,), rng.normal(0, 0.1, CHANNELS)),
        floats("w3", again.shape, again),
        floats("b3", (CHANNELS,), rng.normal(0, 0.1, CHANNELS)),
        floats("w4", (10, CHANNELS), rng.normal(0, 0.5, (10, CHANNELS))),
        floats("b4", (10,), np.zeros(10)),
    ]
    image = (1, 8, 8, CHANNELS)
    activations = [
        floats("x", (1, 8, 8, 1)),
        *(floats(n, image) for n in ("a", "d", "p", "q", "s")),
        floats("m", (1, CHANNELS)),
        floats("y", (1, 10)),
    ]
    window = {"stride": (1, 1), "dilation": (1, 1), "clamp": clamp}
    ops: list[Op] = [
        Conv2D(name="conv", inputs=("x", "w0", "b0"), outputs=("a",), padding=SAME, **window),  # type: ignore[arg-type]
        DepthwiseConv2D(name="deep", inputs=("a", "w1", "b1"), outputs=("d",), padding=SAME, **window),  # type: ignore[arg-type]
        Conv2D(name="point", inputs=("d", "w2", "b2"), outputs=("p",), padding=NO_PADDING, **window),  # type: ignore[arg-type]
        Conv2D(name="again", inputs=("p", "w3", "b3"), outputs=("q",), padding=NO_PADDING, **window),  # type: ignore[arg-type]
        Add(name="add", inputs=("p", "q"), outputs=("s",), clamp=(-inf, inf)),
        Mean(name="mean", inputs=("s",), outputs=("m",), axes=(1, 2), keep_dims=False),
        FullyConnected(name="classes", inputs=("m", "w4", "b4"), outputs=("y",), clamp=(-inf, inf)),
    ]
    return graph(["x"], ["y"], [*activations, *constants], ops)


def drawn_samples(count: int, seed: int = 1) -> list[list[Array]]:
    rng = np.random.default_rng(seed)
    return [[rng.normal(0, 1, (1, 8, 8, 1)).astype(np.float32)] for _ in range(count)]


def error(network: Graph, made: Graph, samples: list[list[Array]]) -> float:
    """Mean squared error of the outputs, relative to their mean square."""
    wrong = power = 0.0
    for sample in samples:
        exact = interpret(network, sample)[0].astype(np.float64)
        x = made.input_tensors[0]
        found = real_values(made.output_tensors[0], interpret(made, [quantize_array(sample[0], x.q, x.dtype)])[0])
        wrong += float(((found - exact) ** 2).sum())
        power += float((exact**2).sum())
    return wrong / power


@pytest.mark.parametrize("clamp", [(0.0, inf), (0.0, 6.0), (-inf, inf)])
def test_equalization_leaves_the_float_network_as_it_was_bit_for_bit(clamp: tuple[float, float]) -> None:
    network, samples = vision_network(100, clamp), drawn_samples(8)
    changed = equalize(network, samples)
    assert any(t.name.endswith("equalized") for t in changed.tensors.values())
    for sample in samples:
        np.testing.assert_array_equal(interpret(changed, sample)[0], interpret(network, sample)[0])


def test_equalization_saves_a_network_whose_channels_are_a_hundred_times_apart() -> None:
    network, samples = vision_network(100), drawn_samples(20)
    fresh = drawn_samples(30, seed=2)
    naive = error(network, quantize_with(network, Settings(), samples), fresh)
    equalized = error(network, quantize_with(network, Settings(equalize=True), samples), fresh)
    assert equalized < naive / 10


@pytest.mark.parametrize("width", ["int4", "int2", "ternary", "binary"])
def test_narrow_weights_are_int8_tensors_that_stay_in_their_range(width: Width) -> None:
    network, samples = vision_network(1), drawn_samples(4)
    made = quantize_with(network, Settings(weights=width, layers={"conv": "int8"}), samples)
    low, high = LIMITS[width]
    for op in made.ops:
        if op.weight_axis and op.name != "conv":
            values = np.asarray(made.tensors[op.inputs[1]].data)
            assert low <= values.min()
            assert values.max() <= high
            assert width != "binary" or 0 not in values
    assert np.abs(np.asarray(made.tensors["w0"].data)).max() == 127


def test_corrected_biases_lower_the_error_of_four_bits() -> None:
    network, samples, fresh = vision_network(1), drawn_samples(40), drawn_samples(20, seed=2)
    nearest = error(network, quantize_with(network, Settings(weights="int4"), samples), fresh)
    for way in ("inputs", "outputs"):
        settings = replace(Settings(weights="int4"), bias_correction=way)
        assert error(network, quantize_with(network, settings, samples), fresh) < nearest / 2


def test_learnt_rounding_lowers_the_error_and_moves_no_weight_by_more_than_a_step() -> None:
    network, samples, fresh = vision_network(1), drawn_samples(40), drawn_samples(20, seed=2)
    nearest = quantize_with(network, Settings(weights="int4"), samples)
    learnt = quantize_with(network, Settings(weights="int4", rounding="adaround"), samples)
    assert error(network, learnt, fresh) < error(network, nearest, fresh) / 1.5
    for name, tensor in nearest.tensors.items():
        if tensor.is_constant and tensor.dtype.value == "int8":
            assert np.abs(np.asarray(learnt.tensors[name].data, int) - np.asarray(tensor.data, int)).max() <= 1


def test_the_same_seed_gives_the_same_bytes() -> None:
    network, samples = vision_network(1), drawn_samples(4)
    settings = Settings(weights="int4", rounding="adaround", seed=5)
    once, again = (quantize_with(network, settings, samples) for _ in range(2))
    for name, tensor in once.tensors.items():
        np.testing.assert_array_equal(tensor.data, again.tensors[name].data)


def test_a_width_for_a_layer_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(SettingsError, match="nothing") as raised:
        quantize_with(vision_network(1), Settings(layers={"nothing": "int4"}), drawn_samples(2))
    assert "classes" in raised.value.hint


def test_learnt_rounding_brings_int16_activations_nearer_too() -> None:
    network, samples, fresh = vision_network(1), drawn_samples(12), drawn_samples(12, seed=2)
    wide = Settings(precision="int16x8", bias_correction="outputs")
    nearest = error(network, quantize_with(network, wide, samples), fresh)
    learnt = quantize_with(network, replace(wide, rounding="adaround"), samples)
    assert learnt.tensors["b0"].dtype.value == "int64"
    assert error(network, learnt, fresh) < nearest
