"""A network as a torch module: it computes what the interpreter computes, and comes back as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from midge.data import Dataset, draw_inputs, load_data
from midge.errors import UnsupportedModelError
from midge.importers import import_model
from midge.interpreter import interpret_all
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.passes import CANONICALIZE, run_passes
from midge.quantize import quantize_model
from midge.settings import Settings, Width

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "midge[train]"')

from midge.train import GraphModule  # noqa: E402
from midge.train.dequantized import dequantized  # noqa: E402

DIGITS = Path(__file__).parents[3] / "examples" / "digits"

# Networks whose operators together are those of all real ones, and how far integers may be from the interpreter's.
REAL = [
    "tinymaix/mnist_dw_q.tflite",
    "tinymaix/mnist_valid_q.tflite",
    "tinymaix/mnist_arduino_q.tflite",
    "mlperf_tiny/ad01_int8_floatio.tflite",
    "tflm/hello_world_int8.tflite",
    "ops_synth/hardswish_prelu_elu_int8.tflite",
    "ops_synth/split_concat_pad_slice_transpose_reshape_int8.tflite",
    "ops_synth/two_in_two_out_int8.tflite",
    "ops_synth/tconv_leaky_add_sigmoid_int8.tflite",
    "ops_synth/conv1d_dilated_16x8.tflite",
]
FLOAT = [
    "tinymaix/mnist_dw_f.tflite",
    "ops_synth/attention_batchmatmul_gather_float.tflite",
    "ops_synth/d2s_pack_unpack_l2norm_float.tflite",
    "ops_synth/gru_unrolled_float.tflite",
    "ops_synth/hardswish_prelu_elu_float.tflite",
    "ops_synth/layernorm_reduce_minmax_float.tflite",
    "ops_synth/resize_concat_tanh_float.tflite",
    "ops_synth/tconv_leaky_add_sigmoid_float.tflite",
    "mlperf_tiny_derived/kws_dynamic_range.tflite",
]


def load(path: Path) -> Graph:
    """As it is before it is quantized."""
    return run_passes(import_model(path).graph, CANONICALIZE)


def columns_of(graph: Graph, samples: int) -> list[Array]:
    """Drawn inputs, the samples first."""
    return [np.stack(column) for column in zip(*draw_inputs(graph, samples, 1), strict=True)]


def integers(graph: Graph, name: str, real: Array) -> Array:
    """The integers that stand for real values."""
    quant = graph.tensors[name].q
    return np.asarray(np.rint(real.astype(np.float64) / quant.scale) + quant.zero_point, np.int64)


def steps_off_by_layer(graph: Graph, module: GraphModule, columns: list[Array]) -> dict[str, int]:
    """How far each layer's integers are from the interpreter's, when it is given the interpreter's own inputs."""
    off: dict[str, int] = {}
    for i in range(len(columns[0])):
        true = interpret_all(graph, [c[i] for c in columns])
        for name, found in module.layer_by_layer(true).items():
            if graph.tensors[name].quant is not None:
                wrong = np.abs(integers(graph, name, found) - true[name].astype(np.int64)).max()
                off[name] = max(off.get(name, 0), int(wrong))
    return off


@pytest.mark.parametrize("name", REAL)
def test_each_layer_in_quantized_form_is_within_one_step_of_the_interpreter(
    name: str, asset: Callable[[str], Path]
) -> None:
    graph = load(asset(f"models/{name}"))
    off = steps_off_by_layer(graph, GraphModule(graph).eval(), columns_of(graph, 2))
    assert off
    assert max(off.values()) <= 1, off


@pytest.mark.parametrize("name", FLOAT)
def test_a_float_module_computes_what_the_interpreter_computes(name: str, asset: Callable[[str], Path]) -> None:
    graph = load(asset(f"models/{name}"))
    columns = columns_of(graph, 2)
    module = GraphModule(graph).eval()
    with torch.no_grad():
        found = module.run(*module.given(columns))
    for i in range(2):
        for tensor, true in interpret_all(module.graph, [c[i] for c in columns]).items():
            if tensor in found and not module.graph.tensors[tensor].is_constant:
                np.testing.assert_allclose(found[tensor][i].numpy(), true, rtol=1e-4, atol=1e-4 * np.abs(true).max())


@pytest.mark.parametrize("width", ["int8", "int4", "int2", "ternary", "binary"])
def test_a_network_of_any_width_answers_as_its_interpreter_and_comes_back_the_same(width: Width) -> None:
    graph = dequantized(load(DIGITS / "digits.tflite"))
    data = load_data(DIGITS / "digits.npz", graph)
    made = quantize_model(graph, Settings(weights=width, calibration_samples=40), data)
    module = GraphModule(made, graph, lambda layer: width).eval()
    x = data.inputs_for(made.input_tensors[0], data.evaluate[:20])
    with torch.no_grad():
        found = module(*module.given([x])).numpy()
    for sample, answer in zip(x, found, strict=True):
        true = interpret_all(made, [sample])[made.outputs[0]]
        assert np.abs(integers(made, made.outputs[0], answer) - true).max() <= 1
        assert answer.argmax() == true.argmax()
    back = module.to_graph()
    for name, tensor in made.tensors.items():
        assert back.tensors[name].quant == tensor.quant
        if tensor.data is not None:
            np.testing.assert_array_equal(back.tensors[name].data, tensor.data)


ON_DATA = [
    ("tinymaix/mnist_dw_q.tflite", "mnist.npz", 60),
    ("tinymaix/mnist_valid_q.tflite", "mnist.npz", 60),
    ("mlperf_tiny/kws_dscnn_int8.tflite", "kws_mfcc.npz", 3),
]


def answers_alike(graph: Graph, data: Dataset, samples: int) -> bool:
    """Whether module and interpreter choose the same class for each of the first samples of split 0."""
    x = data.inputs_for(graph.input_tensors[0], data.evaluate[:samples])
    module = GraphModule(graph).eval()
    with torch.no_grad():
        found = module(*module.given([x])).flatten(1).numpy()
    true = [interpret_all(graph, [sample])[graph.outputs[0]].reshape(-1) for sample in x]
    return [int(answer.argmax()) for answer in found] == [int(answer.argmax()) for answer in true]


@pytest.mark.parametrize(("name", "file", "samples"), ON_DATA)
def test_real_samples_are_answered_as_by_the_interpreter(
    name: str, file: str, samples: int, asset: Callable[[str], Path]
) -> None:
    graph = load(asset(f"models/{name}"))
    assert answers_alike(graph, load_data(asset(f"data/{file}"), graph), samples)


@pytest.mark.long
@pytest.mark.parametrize(("name", "file", "samples"), ON_DATA)
def test_all_real_samples_are_answered_as_by_the_interpreter(
    name: str, file: str, samples: int, asset: Callable[[str], Path]
) -> None:
    graph = load(asset(f"models/{name}"))
    assert answers_alike(graph, load_data(asset(f"data/{file}"), graph), 1 << 20)


def test_an_operator_without_a_form_is_named_with_all_others(asset: Callable[[str], Path]) -> None:
    with pytest.raises(UnsupportedModelError, match="remembers"):
        GraphModule(load(asset("models/tflm/mnist_lstm_float.tflite")))
