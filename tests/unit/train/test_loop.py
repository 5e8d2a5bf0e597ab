"""Training: it learns, keeps what it promises to keep, and gives the same for the same seed, killed or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import pytest

from midge.compress.apply import compress
from midge.compress.steps import Cluster, Train
from midge.data import Dataset, load_data
from midge.errors import SettingsError
from midge.importers import import_model
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.ir.verify import verify
from midge.passes import CANONICALIZE, run_passes
from midge.quantize import quantize_model
from midge.settings import Settings

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "midge[train]"')

from midge.train.dequantized import dequantized  # noqa: E402
from midge.train.loop import Epoch  # noqa: E402
from midge.train.losses import Batch  # noqa: E402
from midge.train.module import GraphModule  # noqa: E402
from midge.train.tune import Trained, fine_tune  # noqa: E402

SETTINGS = Settings(calibration_samples=40)
DIGITS = Path(__file__).parents[3] / "examples" / "digits"
T = TypeVar("T")


@pytest.fixture(scope="module")
def digits() -> tuple[Graph, Dataset]:
    """A small network and its data."""
    graph = dequantized(run_passes(import_model(DIGITS / "digits_mlp.tflite").graph, CANONICALIZE))
    return graph, load_data(DIGITS / "digits.npz", graph)


def constants(graph: Graph) -> dict[str, Array]:
    """Weights and biases by name."""
    return {name: t.data for name, t in graph.tensors.items() if t.data is not None}


def with_weights(graph: Graph, change: dict[str, Array]) -> Graph:
    """The graph with other constants."""
    tensors = {n: replace(t, data=change[n]) if n in change else t for n, t in graph.tensors.items()}
    return verify(replace(graph, tensors=tensors))


def weights_of(graph: Graph) -> list[str]:
    """The names of the weights."""
    return [op.inputs[1] for op in graph.ops if op.weight_axis]


def test_two_bits_that_are_trained_answer_better_than_two_bits_that_are_not(digits: tuple[Graph, Dataset]) -> None:
    graph, data = digits
    trained = fine_tune(graph, data, Train(qat="int2", epochs=4), SETTINGS)
    epochs = trained.history.epochs
    assert epochs[trained.history.best].accuracy > epochs[0].accuracy  # type: ignore[operator]
    assert not trained.graph.is_float
    module = GraphModule(trained.graph).eval()
    source = trained.graph.input_tensors[0]
    x = data.inputs_for(source, data.evaluate[:20])
    answers = [interpret(trained.graph, [v])[0].argmax() for v in x]
    assert answers == list(module(*module.given([x])).flatten(1).argmax(1))


@pytest.mark.parametrize("qat", [None, "int8"])
def test_zeros_stay_zeros_and_equal_values_stay_equal(qat: str | None, digits: tuple[Graph, Dataset]) -> None:
    graph, data = digits
    first, last = weights_of(graph)[0], weights_of(graph)[-1]
    pruned = constants(graph)[first] * (np.random.default_rng(0).random(constants(graph)[first].shape) < 0.3)
    values = constants(graph)[last]
    clustered = (np.round(values / np.abs(values).max() * 4) * np.abs(values).max() / 4).astype(np.float32)
    start = with_weights(graph, {first: pruned, last: clustered})
    made = constants(fine_tune(start, data, Train(epochs=1, qat=qat), SETTINGS).graph)  # type: ignore[arg-type]
    assert (made[first][pruned == 0] == 0).all()
    assert not np.array_equal(made[first], pruned)
    if qat is None:
        assert len(np.unique(made[last])) == len(np.unique(clustered))
        for value in np.unique(clustered):
            assert len(np.unique(made[last][clustered == value])) == 1


@pytest.mark.parametrize("qat", [None, "int8"])
def test_clusters_are_as_few_once_the_trained_network_is_int8(qat: Any, digits: tuple[Graph, Dataset]) -> None:
    graph, data = digits
    clustered = compress(graph, [Cluster(values=8)], data, SETTINGS)
    trained = fine_tune(clustered, data, Train(epochs=2, qat=qat), SETTINGS).graph
    made = constants(quantize_model(trained, SETTINGS, data))
    before = constants(quantize_model(clustered, SETTINGS, data))
    for name in weights_of(graph):
        assert len(np.unique(made[name])) <= 8
        assert not np.array_equal(made[name], before[name])
    again = fine_tune(quantize_model(clustered, SETTINGS, data), data, Train(epochs=1), SETTINGS).graph
    assert all(len(np.unique(constants(again)[name])) <= 8 for name in weights_of(graph))


def test_the_same_seed_gives_the_same_bits(digits: tuple[Graph, Dataset]) -> None:
    graph, data = digits
    runs = [
        fine_tune(graph, data, Train(epochs=2, qat="int4"), Settings(calibration_samples=40, seed=seed))
        for seed in (3, 3, 4)
    ]
    first, again, other = (constants(r.graph) for r in runs)
    assert all(np.array_equal(first[n], again[n]) for n in first)
    assert not all(np.array_equal(first[n], other[n]) for n in first)


def test_a_training_that_was_killed_goes_on_to_the_same_result(digits: tuple[Graph, Dataset], tmp_path: Path) -> None:
    graph, data = digits
    options = Train(epochs=4, qat="int4", checkpoint=str(tmp_path / "whole"))
    whole = fine_tune(graph, data, options, SETTINGS)
    partly = msgspec.structs.replace(options, checkpoint=str(tmp_path / "partly"))
    with pytest.raises(KeyboardInterrupt):
        fine_tune(graph, data, partly, SETTINGS, progress=_killed)
    resumed = fine_tune(graph, data, partly, SETTINGS)
    _assert_same(whole, resumed)


def test_a_checkpoint_of_another_training_is_refused(digits: tuple[Graph, Dataset], tmp_path: Path) -> None:
    graph, data = digits
    options = Train(epochs=1, checkpoint=str(tmp_path / "kept"))
    fine_tune(graph, data, options, SETTINGS)
    with pytest.raises(SettingsError, match="another training"):
        fine_tune(graph, data, options, Settings(calibration_samples=40, seed=1))
    (tmp_path / "kept").write_bytes(b"nonsense")
    with pytest.raises(SettingsError, match="no checkpoint"):
        fine_tune(graph, data, options, SETTINGS)


def test_a_schedule_of_masks_is_followed(digits: tuple[Graph, Dataset]) -> None:
    graph, data = digits
    name = weights_of(graph)[0]

    def schedule(done: float, module: GraphModule) -> dict[str, Array]:
        values = np.abs(module.constant(name).value().detach().numpy()[0])
        return {name: values > np.quantile(values, 0.5 * done)}

    made = constants(fine_tune(graph, data, Train(epochs=2), SETTINGS, schedule=schedule).graph)[name]
    assert abs((made == 0).mean() - 0.5) < 0.02


def test_a_loss_of_ones_own_and_a_loop_of_ones_own_train_the_same_module(digits: tuple[Graph, Dataset]) -> None:
    graph, data = digits
    name = graph.outputs[0]

    def small_answers(batch: Batch) -> Any:
        return batch.values[name].square().mean()

    trained = fine_tune(graph, data, Train(epochs=2), SETTINGS, loss=small_answers)
    losses = [epoch.watched_loss for epoch in trained.history.epochs]
    assert losses[2] < losses[1] < losses[0]
    module = GraphModule(graph)
    x = module.given([data.inputs_for(graph.input_tensors[0], data.calibrate[:32])])
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-3)
    module(*x).square().mean().backward()
    optimizer.step()
    changed = constants(module.to_graph())
    assert any(not np.array_equal(changed[n], value) for n, value in constants(graph).items())


def test_data_without_labels_trains_integers_to_answer_as_the_floats_do(digits: tuple[Graph, Dataset]) -> None:
    graph, data = digits
    unlabelled = replace(data, labels=None)
    epochs = fine_tune(graph, unlabelled, Train(epochs=3, qat="int2"), SETTINGS).history.epochs
    assert epochs[-1].watched_loss < 0.5 * epochs[0].watched_loss
    with pytest.raises(SettingsError, match="no labels"):
        fine_tune(graph, unlabelled, Train(epochs=1), SETTINGS)


def test_less_loss_is_better_among_epochs_that_tell_as_many_right() -> None:
    assert Epoch(1.0, 0.5, 0.9).merit < Epoch(1.0, 0.4, 0.9).merit < Epoch(1.0, 0.6, 0.91).merit


def _assert_same(one: Trained, other: Trained) -> None:
    assert one.history == other.history
    theirs = constants(other.graph)
    assert all(np.array_equal(data, theirs[name]) for name, data in constants(one.graph).items())


def _killed(items: Iterable[T], what: str, /) -> Iterable[T]:
    """The second item is the last."""
    for number, item in enumerate(items):
        if number == 2 and what == "training":
            raise KeyboardInterrupt
        yield item
