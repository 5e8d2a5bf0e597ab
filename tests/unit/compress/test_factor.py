"""Factoring: at full rank nothing changes, below it the error is what was dropped, and what does not pay is left."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from pathlib import Path

import numpy as np
import pytest

from compressible import dataset, material, network, weights_of
from midge.compress import factorings
from midge.compress.apply import CompressionNote, compress
from midge.compress.chains import chain_cost, factored, layer_cost, part_shapes
from midge.compress.cycles import alone, cycles
from midge.compress.factor import apply
from midge.compress.steps import Factor
from midge.data import load_data
from midge.errors import SettingsError, UnsupportedModelError
from midge.exporters import export_tflite
from midge.importers import import_model
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.ops.conv2d import Conv2D
from midge.ops.fully_connected import FullyConnected
from midge.quantize import quantize_model
from midge.settings import Settings
from small_graphs import floats, graph

FORMS = ("svd", "spatial", "tucker")


def composed(parts: Sequence[Array]) -> Array:
    """The weights (O, KH, KW, C) of the one layer that a chain of parts is."""
    made = parts[0]
    for part in parts[1:]:
        # Along each side of the window one of the two has a size of 1.
        sides = part.shape[1] * made.shape[1], part.shape[2] * made.shape[2]
        made = np.einsum("oabm,mcdx->oacbdx", part, made).reshape(len(part), *sides, made.shape[3])
    return made


def layer(stride: tuple[int, int] = (1, 1), dilation: tuple[int, int] = (1, 1), seed: int = 0) -> Graph:
    """A convolution of 16 channels by 24 filters of 3x3 whose weights have little energy beyond rank 4."""
    rng = np.random.default_rng(seed)
    weights = sum(
        rng.normal(0, 1 / (1 + r**2), (24, 1, 1, 1)) * rng.normal(0, 1, (3, 1, 1)) * rng.normal(0, 1, (1, 3, 1))
        * rng.normal(0, 1, (1, 1, 16)) for r in range(12)
    ) + rng.normal(0, 0.01, (24, 3, 3, 16))  # fmt: skip
    op = Conv2D(
        name="conv",
        inputs=("x", "w", "b"),
        outputs=("y",),
        stride=stride,
        dilation=dilation,
        padding=((1, 2), (0, 1)),
        clamp=(0.0, inf),
    )
    tensors = [
        floats("x", (1, 9, 8, 16)),
        floats("w", weights.shape, weights),
        floats("b", (24,), rng.normal(0, 1, 24)),
    ]
    (size,) = op.infer(tensors)
    return graph(["x"], ["y"], [*tensors, floats("y", size)], [op])


def dense(units: int = 40, depth: int = 64, rank: int = 5) -> Graph:
    """A fully connected layer of almost `rank`."""
    rng = np.random.default_rng(4)
    weights = rng.normal(0, 1, (units, rank)) @ rng.normal(0, 1, (rank, depth)) + rng.normal(0, 0.05, (units, depth))
    op = FullyConnected(name="fc", inputs=("x", "w"), outputs=("y",), clamp=(-inf, inf))
    return graph(
        ["x"],
        ["y"],
        [floats("x", (1, depth)), floats("w", weights.shape, weights), floats("y", (1, units))],
        [op],
    )


def inputs(of: Graph, count: int = 4) -> list[np.ndarray]:
    rng = np.random.default_rng(9)
    return [rng.normal(0, 1, of.input_tensors[0].shape).astype(np.float32) for _ in range(count)]


def made(weights: np.ndarray, form: str, rank: int) -> factorings.Factoring:
    if form == "tucker":
        return factorings.tucker(weights, (min(rank, 24), min(rank, 16)), None)
    return {"svd": factorings.svd, "spatial": factorings.spatial}[form](weights, rank, None)


@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
@pytest.mark.parametrize("dilation", [(1, 1), (1, 2)])
@pytest.mark.parametrize(("form", "rank"), [("svd", 24), ("spatial", 48), ("tucker", 24)])
def test_at_full_rank_a_chain_computes_what_the_layer_did(
    form: str, rank: int, stride: tuple[int, int], dilation: tuple[int, int]
) -> None:
    of = layer(stride, dilation)
    chain = factored(of, of.ops[0], made(weights_of(of, "conv").astype(np.float64), form, rank))
    assert len(chain.ops) == (3 if form == "tucker" else 2)
    for x in inputs(of):
        np.testing.assert_allclose(interpret(chain, [x])[0], interpret(of, [x])[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", ["svd", "spatial"])
@pytest.mark.parametrize("rank", [1, 3, 7])
def test_below_it_the_error_is_the_energy_of_the_singular_values_that_were_dropped(form: str, rank: int) -> None:
    weights = weights_of(layer(), "conv").astype(np.float64)
    found = made(weights, form, rank)
    matrix = weights.reshape(24, -1) if form == "svd" else weights.transpose(1, 3, 0, 2).reshape(48, 72)
    values = np.linalg.svd(matrix, compute_uv=False)
    dropped = float((values[rank:] ** 2).sum())
    np.testing.assert_allclose(((composed(found.parts) - weights) ** 2).sum(), dropped, rtol=1e-9)
    np.testing.assert_allclose(found.error, dropped / (values**2).sum(), rtol=1e-9)


@pytest.mark.parametrize("ranks", [(2, 3), (8, 4), (20, 16)])
def test_tucker_loses_no_more_than_both_sides_drop_and_no_less_than_either(ranks: tuple[int, int]) -> None:
    weights = weights_of(layer(), "conv").astype(np.float64)
    found = factorings.tucker(weights, ranks, None)
    lost = ((composed(found.parts) - weights) ** 2).sum()
    tails = [e[r:].sum() for e, r in zip(factorings.tucker_energies(weights, None), ranks, strict=True)]
    assert max(tails) * (1 - 1e-9) <= lost <= sum(tails) * (1 + 1e-9)
    np.testing.assert_allclose(found.error, lost / (weights**2).sum(), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("energy", [0.7, 0.97])
def test_the_energy_that_was_asked_for_is_kept_at_fewer_macs(form: str, energy: float) -> None:
    of = layer()
    chain = apply(of, Factor(form=form, energy=energy), material(of))
    assert chain.macs < of.macs
    weights = weights_of(of, "conv").astype(np.float64)
    parts = [np.asarray(chain.tensors[op.inputs[1]].data, np.float64) for op in chain.ops]
    assert ((composed(parts) - weights) ** 2).sum() <= (1 - energy) * (weights**2).sum() * (1 + 1e-6)


def test_a_fully_connected_layer_is_two() -> None:
    of = dense()
    chain = apply(of, Factor(rank=5), material(of))
    assert [op.kind for op in chain.ops] == ["fully_connected"] * 2
    assert chain.ops[-1].name == "fc"
    for x in inputs(of):
        exact, found = interpret(of, [x])[0], interpret(chain, [x])[0]
        assert np.abs(found - exact).max() < 0.1 * np.abs(exact).max()


def test_data_makes_the_error_of_the_outputs_smaller(tmp_path: Path) -> None:
    """Inputs lie near a plane that the weights alone do not tell, and not around zero."""
    rng = np.random.default_rng(2)
    weights = rng.normal(0, 1, (40, 64))
    of = graph(
        ["x"],
        ["y"],
        [floats("x", (1, 64)), floats("w", (40, 64), weights), floats("y", (1, 40))],
        [FullyConnected(name="fc", inputs=("x", "w"), outputs=("y",), clamp=(-inf, inf))],
    )
    x = rng.normal(0, 1, (400, 6)) @ rng.normal(0, 1, (6, 64)) + rng.normal(2, 0.1, (400, 64))
    np.savez(tmp_path / "d.npz", x=x.astype(np.float32), split=np.arange(400) % 2)
    data = load_data(tmp_path / "d.npz", of)
    fresh = x[::2].astype(np.float32)[:, None]

    def error(chain: Graph) -> float:
        return sum(float(((interpret(of, [v])[0] - interpret(chain, [v])[0]) ** 2).sum()) for v in fresh)

    blind, seeing = (error(apply(of, Factor(rank=6), material(of, d))) for d in (None, data))
    power = sum(float((interpret(of, [v])[0] ** 2).sum()) for v in fresh)
    assert seeing < 0.02 * power
    assert seeing < blind / 10


@pytest.mark.parametrize("form", FORMS)
def test_each_form_takes_data(tmp_path: Path, form: str) -> None:
    of = layer()
    chain = apply(of, Factor(form=form, energy=0.9), material(of, dataset(tmp_path / "d.npz", of)))
    assert len(chain.ops) > 1
    for x in inputs(of):
        exact, found = interpret(of, [x])[0], interpret(chain, [x])[0]
        assert ((found - exact) ** 2).sum() < 0.3 * ((exact - exact.mean()) ** 2).sum()


def test_what_would_cost_more_is_left_as_it_is_and_that_is_said() -> None:
    of = network()
    with pytest.warns(CompressionNote, match="stem, pw, wide, fc"):
        assert apply(of, Factor(energy=1.0), material(of)) is of


def test_the_estimate_counts_every_link_of_the_chain() -> None:
    of = layer((2, 1))
    op = of.ops[0]
    for form, ranks in (("svd", (5,)), ("spatial", (7,)), ("tucker", (6, 3))):
        shapes = part_shapes(form, (24, 3, 3, 16), ranks)
        chain = factored(of, op, made_at(weights_of(of, "conv"), form, ranks))
        assert chain_cost(of, op, form, shapes) == sum(layer_cost(chain, link) for link in chain.ops)
        assert [chain.tensors[link.inputs[1]].shape for link in chain.ops] == shapes


def made_at(weights: np.ndarray, form: str, ranks: tuple[int, ...]) -> factorings.Factoring:
    weights = weights.astype(np.float64)
    return factorings.tucker(weights, ranks, None) if form == "tucker" else made(weights, form, ranks[0])


def test_a_residual_network_stays_whole_and_can_be_written_and_made_int8(tmp_path: Path) -> None:
    of = network()
    data = dataset(tmp_path / "d.npz", of)
    chain = compress(of, [Factor(energy=0.6)], data, Settings())
    assert len(chain.ops) > len(of.ops)
    assert chain.macs < of.macs
    (tmp_path / "m.tflite").write_bytes(export_tflite(chain))
    again = import_model(tmp_path / "m.tflite").graph
    for x in data.inputs_for(of.input_tensors[0], data.evaluate):
        np.testing.assert_allclose(interpret(again, [x])[0], interpret(chain, [x])[0], atol=1e-5)
    assert quantize_model(chain, Settings(), data).macs == chain.macs


def test_an_integer_network_is_refused(tmp_path: Path) -> None:
    of = network()
    quantized = quantize_model(of, Settings(), dataset(tmp_path / "d.npz", of))
    with pytest.raises(UnsupportedModelError, match="float weights"):
        apply(quantized, Factor(), material(quantized))


def test_layers_that_are_not_there_or_cannot_be_factored_are_named() -> None:
    of = network()
    with pytest.raises(SettingsError, match="nowhere"):
        apply(of, Factor(layers=("nowhere",)), material(of))
    with pytest.warns(CompressionNote, match="dw of small cannot be factored"):
        assert apply(of, Factor(layers=("dw",)), material(of)) is of


def test_measured_cycles_decide_where_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a core on which wider chains are faster and `spatial` is slow."""
    of = layer()
    seen: list[tuple[str, ...]] = []

    def clock(chain: Graph, settings: Settings) -> int:
        names = tuple(op.name for op in chain.ops)
        seen.append(names)
        if "spatial" in names[0] or len(names) == 1:
            return 1000
        return 900 - chain.tensors[chain.ops[0].outputs[0]].shape[3]

    monkeypatch.setattr("midge.compress.factor.cycles", clock)
    made = apply(of, Factor(energy=0.9, measured=True), material(of))
    assert ("conv",) in seen
    widest = made.tensors[made.ops[0].outputs[0]].shape[3]
    assert widest % 4 == 0
    assert "spatial" not in made.ops[0].name
    monkeypatch.setattr("midge.compress.factor.cycles", lambda chain, settings: len(chain.ops))
    with pytest.warns(CompressionNote, match="conv"):
        assert apply(of, Factor(energy=0.9, measured=True), material(of)) is of


def test_a_layer_alone_is_measured_as_what_is_deployed() -> None:
    of = dense()
    single = alone(of, of.ops[0])
    assert (
        0
        < cycles(factored(single, of.ops[0], made_at(dense_weights(of), "svd", (4,))), Settings())
        < cycles(single, Settings())
    )


def dense_weights(of: Graph) -> np.ndarray:
    return weights_of(of, "fc")[:, None, None, :]
