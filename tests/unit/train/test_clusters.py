"""What clustering has made lasts while a network is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compressible import dataset, network, sparse, weights_of
from midge.compress.apply import compress
from midge.compress.steps import Cluster, Train
from midge.compress.weighted import find_weights
from midge.data import Dataset
from midge.ir.graph import Graph
from midge.quantize import quantize_model
from midge.settings import Settings

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "midge[train]"')

VALUES = 5
LAYERS = ("stem", "dw", "pw", "wide", "fc")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """More would only wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Samples of all three splits."""
    return dataset(tmp_path / "d.npz", network(), samples=60)


def most_values(graph: Graph) -> int:
    return max(len(np.unique(np.asarray(w.tensor.data))) for w in find_weights(graph))


def test_a_clustered_float_network_keeps_its_table_and_trains_values_and_channels(data: Dataset) -> None:
    start = compress(network(), [Cluster(values=VALUES)], data, Settings())
    made = compress(start, [Train(epochs=2, learning_rate=1e-2)], data, Settings())
    for layer in LAYERS:
        assert not np.array_equal(weights_of(made, layer), weights_of(start, layer))
    quantized = quantize_model(made, Settings(), data)
    assert most_values(quantized) == VALUES
    before = quantize_model(start, Settings(), data)
    for layer in LAYERS:
        alike = weights_of(before, layer)
        for value in np.unique(alike):
            assert len(np.unique(weights_of(quantized, layer)[alike == value])) == 1


@pytest.mark.parametrize("from_integers", [False, True])
def test_training_with_quantization_keeps_so_few_integers(data: Dataset, from_integers: bool) -> None:
    start = compress(network(), [Cluster(values=VALUES)], data, Settings())
    if from_integers:
        start = quantize_model(start, Settings(), data)
    made = compress(start, [Train(epochs=2, qat="int8", learning_rate=1e-2)], data, Settings())
    assert most_values(made) == VALUES


def test_zeros_of_a_clustered_layer_stay(data: Dataset) -> None:
    start = compress(sparse(network()), [Cluster(values=VALUES)], data, Settings())
    for step in (Train(epochs=1, learning_rate=1e-2), Train(epochs=1, qat="int8", learning_rate=1e-2)):
        made = compress(start, [step], data, Settings())
        for layer in LAYERS:
            assert not weights_of(made, layer)[weights_of(start, layer) == 0].any()
        assert most_values(quantize_model(made, Settings(), data)) <= VALUES
