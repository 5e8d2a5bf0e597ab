"""Scaling: so many filters and units as were asked for, the important ones, in a network that is whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compressible import CHANNELS, RELU, SAME, dataset, material, network
from midge.compress.apply import CompressionNote
from midge.compress.scale import apply
from midge.compress.steps import Scale
from midge.compress.units import find_units, without_units
from midge.exporters import export_tflite
from midge.importers import import_model
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.verify import verify
from midge.ops.add import Add
from midge.ops.conv2d import Conv2D
from midge.ops.depthwise_conv2d import DepthwiseConv2D
from midge.quantize import quantize_model
from midge.settings import Settings
from small_graphs import floats, graph, pointwise


def deep(small: float = 0.01) -> Graph:
    """stem, two residual units, a depthwise layer with its pointwise one, and an end; the second unit does little."""
    rng = np.random.default_rng(0)
    c = CHANNELS
    fields = {"stride": (1, 1), "dilation": (1, 1), "padding": SAME, "clamp": RELU}
    tensors = [floats("x", (1, 6, 6, 2)), floats("stem_w", (c, 3, 3, 2), rng.normal(0, 0.4, (c, 3, 3, 2)))]
    tensors += [floats(n, (1, 6, 6, c)) for n in ("a", "p0", "q0", "r0", "p1", "q1", "r1", "d", "e")]
    ops = [Conv2D(name="stem", inputs=("x", "stem_w"), outputs=("a",), **fields)]
    for i, (source, size) in enumerate((("a", 0.2), ("r0", small))):
        for name in ("p", "q"):
            tensors.append(floats(f"{name}{i}_w", (c, 3, 3, c), rng.normal(0, size, (c, 3, 3, c))))
        ops += [
            Conv2D(name=f"one{i}", inputs=(source, f"p{i}_w"), outputs=(f"p{i}",), **fields),
            Conv2D(name=f"two{i}", inputs=(f"p{i}", f"q{i}_w"), outputs=(f"q{i}",), **fields),
            Add(name=f"add{i}", inputs=(f"q{i}", source), outputs=(f"r{i}",), clamp=RELU),
        ]
    tensors.append(floats("dw_w", (1, 3, 3, c), rng.normal(0, 0.4, (1, 3, 3, c))))
    tensors.append(floats("pw_w", (c, 1, 1, c), rng.normal(0, 0.4, (c, 1, 1, c))))
    tensors += [floats("end_w", (3, 1, 1, c), rng.normal(0, 0.4, (3, 1, 1, c))), floats("y", (1, 6, 6, 3))]
    ops += [
        DepthwiseConv2D(name="dw", inputs=("r1", "dw_w"), outputs=("d",), **fields),
        pointwise("pw", ["d", "pw_w"], "e", RELU),
        pointwise("end", ["e", "end_w"], "y"),
    ]
    return graph(["x"], ["y"], tensors, ops)


def test_units_are_residual_units_and_depthwise_layers_with_what_follows() -> None:
    assert [b.layers for b in find_units(deep())] == [("one0", "two0", "add0"), ("one1", "two1", "add1"), ("dw", "pw")]


def test_a_network_without_its_units_is_stem_and_end() -> None:
    of = deep()
    left = verify(without_units(of, find_units(of)))
    assert [op.name for op in left.ops] == ["stem", "end"]
    x = np.random.default_rng(0).normal(0, 1, (1, 6, 6, 2)).astype(np.float32)
    alone = graph(["x"], ["y"], [t for t in of.tensors.values() if t.name in left.tensors], list(left.ops))
    np.testing.assert_array_equal(interpret(left, [x])[0], interpret(alone, [x])[0])


def test_the_unit_goes_that_changes_the_outputs_least(tmp_path: Path) -> None:
    of = deep()
    made = verify(apply(of, Scale(depth=0.6), material(of, dataset(tmp_path / "d.npz", of))))
    assert {op.name for op in of.ops} - {op.name for op in made.ops} == {"one1", "two1", "add1"}


def test_without_data_units_go_at_even_distances() -> None:
    of = deep()
    made = apply(of, Scale(depth=0.5), material(of))
    assert {op.name for op in of.ops} - {op.name for op in made.ops} == {"one1", "two1", "add1"}
    assert len(find_units(apply(of, Scale(depth=0.1), material(of)))) == 1


@pytest.mark.parametrize("width", [0.25, 0.5, 0.6])
def test_of_every_layer_that_part_of_the_filters_stays_in_fours(width: float) -> None:
    of = network()
    made = verify(apply(of, Scale(width=width), material(of)))
    wanted = -(-int(np.ceil(width * CHANNELS)) // 4) * 4
    sizes = {op.name: made.tensors[op.outputs[0]].shape[-1] for op in made.ops}
    assert (sizes["stem"], sizes["dw"], sizes["pw"], sizes["add"]) == (wanted,) * 4
    assert sizes["wide"] == -(-int(np.ceil(width * 2 * CHANNELS)) // 4) * 4
    assert sizes["join"] == sizes["add"] + sizes["wide"]
    assert made.output_tensors[0].shape == of.output_tensors[0].shape
    assert made.macs < of.macs


def test_the_important_filters_stay() -> None:
    of = network()
    data = np.array(of.tensors["wide_w"].data)
    data[::2] /= 100
    columns = np.array(of.tensors["fc_w"].data)
    columns[:, CHANNELS::2] /= 100
    changed = {n: replace(of.tensors[n], data=d) for n, d in (("wide_w", data), ("fc_w", columns))}
    of = replace(of, tensors={**of.tensors, **changed})
    made = apply(of, Scale(width=0.5), material(of))
    biases = np.asarray(of.tensors["wide_b"].data)[1::2]
    np.testing.assert_array_equal(made.tensors["wide_b"].data, biases)


def test_an_int8_network_is_scaled_too(tmp_path: Path) -> None:
    of = deep()
    data = dataset(tmp_path / "d.npz", of)
    quantized = quantize_model(of, Settings(), data)
    made = verify(apply(quantized, Scale(width=0.5, depth=0.5), material(quantized, data)))
    assert made.macs < quantized.macs / 3
    x = data.inputs_for(made.input_tensors[0], data.evaluate)[0]
    assert interpret(made, [x])[0].shape == (1, 6, 6, 3)


def test_a_student_can_be_written_as_tflite(tmp_path: Path) -> None:
    of = network()
    made = apply(of, Scale(width=0.5), material(of))
    (tmp_path / "m.tflite").write_bytes(export_tflite(made))
    again = import_model(tmp_path / "m.tflite").graph
    x = np.random.default_rng(0).normal(0, 1, of.input_tensors[0].shape).astype(np.float32)
    np.testing.assert_allclose(interpret(again, [x])[0], interpret(made, [x])[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (Scale(), "nothing to scale"),
        (Scale(depth=0.5), "depth 0.5 keeps all 1 units"),
        (Scale(width=0.95), "stays as wide"),
    ],
)
def test_what_changes_nothing_says_so(step: Scale, says: str) -> None:
    of = network()
    with pytest.warns(CompressionNote, match=says):
        assert apply(of, step, material(of)) is of
