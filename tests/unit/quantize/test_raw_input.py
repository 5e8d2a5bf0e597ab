"""Raw bytes as input: mean and standard deviation are folded into the network, and no byte is rounded."""

from __future__ import annotations

from math import inf
from pathlib import Path

import numpy as np
import pytest

from midge.data import Dataset, load_data
from midge.errors import SettingsError
from midge.exporters import export_tflite
from midge.importers import Imported, import_model
from midge.interpreter import interpret
from midge.ir.graph import Graph, Padding
from midge.ir.tensor import Array, DType
from midge.ops.conv2d import Conv2D
from midge.pipeline import compile_model, run_model
from midge.quantize.raw_input import fold_raw_input
from midge.raw_input import RawInput
from midge.run.reference import Reference
from midge.settings import Settings, load_settings, settings_to_toml
from small_graphs import NO_PADDING, floats, graph

PADDED: Padding = ((1, 1), (1, 1))
IMAGES = np.random.default_rng(1).integers(0, 256, (40, 6, 6, 3)).astype(np.uint8)
# Mean, standard deviation, and whether the first layer may pad.
CASES = [
    ([128.0], [64.0], True),
    ([0.0], [255.0], True),
    ([127.5], [127.5], False),
    ([120.0, 110.5, 99.0], [58.0, 57.0, 57.5], False),
]


def network(padding: Padding = NO_PADDING) -> Graph:
    draw = np.random.default_rng(2)
    size = 4 + sum(padding[0])
    conv = Conv2D(
        name="first",
        inputs=("x", "w", "b"),
        outputs=("y",),
        stride=(1, 1),
        dilation=(1, 1),
        padding=padding,
        clamp=(0.0, inf),
    )
    tensors = [
        floats("x", (1, 6, 6, 3)),
        floats("w", (5, 3, 3, 3), draw.standard_normal((5, 3, 3, 3))),
        floats("b", (5,), draw.standard_normal(5)),
        floats("y", (1, size, size, 5)),
    ]
    return graph(["x"], ["y"], tensors, [conv])


def _settings(mean: list[float], std: list[float]) -> Settings:
    return Settings(raw_input="uint8", input_mean=mean, input_std=std)


@pytest.fixture
def images(tmp_path: Path) -> Dataset:
    """Raw images, without a scale."""
    path = tmp_path / "images.npz"
    np.savez(path, x=IMAGES, split=np.arange(len(IMAGES)) % 2)
    return load_data(path, network())


def _compiled(images: Dataset, mean: list[float], std: list[float], padding: Padding, path: Path) -> Graph:
    imported = Imported(network(padding), path, "0" * 64, "tflite")
    return compile_model(imported, _settings(mean, std), images).graph


def _normalized(image: Array, mean: list[float], std: list[float]) -> Array:
    return np.asarray((image.astype(np.float64) - mean) / std, np.float32)[None]


@pytest.mark.parametrize(("mean", "std", "may_pad"), CASES)
def test_the_folded_network_is_the_float_one_on_normalized_bytes(
    mean: list[float], std: list[float], may_pad: bool
) -> None:
    raw = RawInput(tuple(mean), tuple(std))
    plain = network(PADDED if may_pad else NO_PADDING)
    folded = fold_raw_input(plain, raw)
    for image in IMAGES[:5]:
        (exact,) = interpret(plain, [_normalized(image, mean, std)])
        (found,) = interpret(folded, [raw.given(image[None], folded.input_tensors[0])])
        np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("mean", "std", "may_pad"), CASES)
def test_every_byte_reaches_the_first_layer_as_it_is(
    mean: list[float], std: list[float], may_pad: bool, images: Dataset, tmp_path: Path
) -> None:
    made = _compiled(images, mean, std, PADDED if may_pad else NO_PADDING, tmp_path)
    given, inner = made.input_tensors[0], made.tensors[made.ops[0].outputs[0]]
    assert (given.dtype, inner.dtype) == (DType.U8, DType.S8)
    every = np.resize(np.arange(256), given.shape).astype(np.uint8)
    (found,) = made.ops[0].evaluate([given], [inner], [every])
    np.testing.assert_array_equal(found, every.astype(np.int64) - 128)


@pytest.mark.parametrize(("mean", "std", "may_pad"), CASES)
def test_the_integers_stay_near_the_float_network(
    mean: list[float], std: list[float], may_pad: bool, images: Dataset, tmp_path: Path
) -> None:
    padding = PADDED if may_pad else NO_PADDING
    made = _compiled(images, mean, std, padding, tmp_path)
    y = made.output_tensors[0]
    for image in IMAGES[:5]:
        (exact,) = interpret(network(padding), [_normalized(image, mean, std)])
        (found,) = interpret(made, [image[None]])
        low, high = ((end - y.q.zero_point) * y.q.scale for end in DType.S8.limits)
        real = (found.astype(np.float64) - y.q.zero_point) * y.q.scale
        assert np.abs(real - np.clip(exact, low, high)).max() < 3 * y.q.scale


def test_tensorflow_lite_takes_the_bytes_too(images: Dataset, tmp_path: Path) -> None:
    made = _compiled(images, [128.0], [64.0], PADDED, tmp_path)
    with Reference(export_tflite(made)) as reference:
        for image in IMAGES[:5]:
            np.testing.assert_array_equal(reference.run([image[None]])[0], interpret(made, [image[None]])[0])


def test_what_cannot_be_exact_is_refused_in_words(images: Dataset, tmp_path: Path) -> None:
    for mean, std in (([127.5], [127.5]), ([1.0, 2.0, 3.0], [1.0])):
        with pytest.raises(SettingsError, match="first pads its input") as error:
            _compiled(images, mean, std, PADDED, tmp_path)
        assert "whole number" in error.value.hint
    with pytest.raises(SettingsError, match="input_mean has 2 numbers"):
        _compiled(images, [1.0, 2.0], [1.0], NO_PADDING, tmp_path)


def test_settings_with_raw_input_survive_a_file(tmp_path: Path) -> None:
    path = tmp_path / "midge.toml"
    settings = _settings([127.5, 127.5, 120.0], [58.0])
    path.write_text(settings_to_toml(settings))
    assert load_settings(path) == settings
    for wrong in (
        {"input_std": 0.0},
        {"input_mean": "a"},
        {"raw_input": "int9"},
        {"raw_input": "uint8", "float_io": True},
    ):
        with pytest.raises(SettingsError):
            Settings(**wrong)  # type: ignore[arg-type]


def test_stored_normalized_samples_become_the_bytes_they_were(tmp_path: Path) -> None:
    path = tmp_path / "normalized.npz"
    np.savez(path, x=_normalized(IMAGES, [110.0], [57.5])[0])
    data = load_data(path, network()).taking(RawInput((110.0,), (57.5,)))
    tensor = floats("x", (1, 6, 6, 3))
    raw = data.raw
    assert raw is not None
    folded = np.asarray((IMAGES.astype(np.float64) - 110) * raw.step, np.float32)
    np.testing.assert_array_equal(data.inputs_for(tensor)[:, 0], folded)


def test_the_device_takes_bytes(images: Dataset, tmp_path: Path) -> None:
    model = tmp_path / "small.tflite"
    model.write_bytes(export_tflite(network()))
    compiled = compile_model(import_model(model), _settings([127.5], [127.5]), images)
    report = run_model(compiled, images, tmp_path, samples=4)
    assert (report.exact.mismatches, report.exact.samples) == (0, 4)
    assert "uint8_t" in compiled.sources[next(n for n in compiled.sources if n.endswith(".h"))]


SAMPLES = np.random.default_rng(4).normal(2048, 400, (40, 6, 6, 3)).astype(np.int16)


@pytest.fixture
def converted(tmp_path: Path) -> Dataset:
    """Raw samples of a converter of 12 bits, without a scale."""
    path = tmp_path / "samples.npz"
    np.savez(path, x=SAMPLES, split=np.arange(len(SAMPLES)) % 2)
    return load_data(path, network())


def _converter(mean: float | list[float], std: float | list[float]) -> Settings:
    return Settings(raw_input="int16", input_mean=mean, input_std=std)


@pytest.mark.parametrize(("mean", "std"), [(2048.0, 400.0), (2047.25, 400.0), ([2048.0, 2000.0, 2100.0], 400.0)])
def test_raw_samples_of_16_bits_become_the_nearest_step_of_the_input(
    mean: float | list[float], std: float, converted: Dataset, tmp_path: Path
) -> None:
    compiled = compile_model(Imported(network(), tmp_path, "0" * 64, "tflite"), _converter(mean, std), converted)
    made, raw = compiled.graph, compiled.settings.raw
    given, inner = made.input_tensors[0], made.tensors[made.ops[0].outputs[0]]
    assert (given.dtype, inner.dtype) == (DType.S16, DType.S8)
    assert raw is not None
    every = np.arange(-32768, 32768)[: given.elements * (65536 // given.elements)].reshape(-1, *given.shape)
    for block in every[:: len(every) // 20]:
        (found,) = made.ops[0].evaluate([given], [inner], [block.astype(np.int16)])
        steps = (block - raw.zero) * raw.step / inner.q.scale + inner.q.zero_point
        assert np.abs(found - np.clip(steps, -128, 127)).max() <= 0.55
    y = made.output_tensors[0]
    for sample in SAMPLES[:5]:
        (exact,) = interpret(network(), [_normalized(sample, np.atleast_1d(mean).tolist(), [std])])
        (found,) = interpret(made, [sample[None]])
        low, high = ((end - y.q.zero_point) * y.q.scale for end in DType.S8.limits)
        assert np.abs((found - float(y.q.zero_point)) * y.q.scale - np.clip(exact, low, high)).max() < 5 * y.q.scale


def test_a_network_that_is_int8_already_takes_raw_samples(converted: Dataset, tmp_path: Path) -> None:
    settings = Settings(input_mean=2048.0, input_std=400.0)
    normalized = tmp_path / "normalized.npz"
    np.savez(normalized, x=(SAMPLES.astype(np.float32) - 2048) / 400, split=np.arange(len(SAMPLES)) % 2)
    int8 = compile_model(
        Imported(network(), tmp_path, "0" * 64, "tflite"), settings, load_data(normalized, network())
    ).graph
    model = tmp_path / "int8.tflite"
    model.write_bytes(export_tflite(int8))
    imported = import_model(model)
    compiled = compile_model(imported, _converter(2048.0, 400.0))
    assert compiled.graph.input_tensors[0].dtype is DType.S16
    report = run_model(compiled, converted, tmp_path, samples=4)
    assert (report.exact.mismatches, report.exact.samples) == (0, 4)
    for wrong in (_converter(2048.5, 400.0), _converter([1.0, 2.0, 3.0], 400.0)):
        with pytest.raises(SettingsError, match="integer model already"):
            compile_model(imported, wrong)
