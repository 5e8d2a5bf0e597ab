"""Factoring: a layer becomes a chain of smaller ones, where that costs less than it does.

Each further layer of the chain writes values that must be requantized. A layer stays as it is when the chain, with that
counted, is no cheaper; a line says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midge.compress import factorings
from midge.compress.apply import CompressionNote, Material
from midge.compress.chains import chain_cost, factored, layer_cost, part_shapes
from midge.compress.cycles import alone, cycles
from midge.compress.factorings import Factoring, Moments
from midge.compress.filter_costs import LANES
from midge.compress.steps import Factor
from midge.compress.weighted import find_weights, for_each_input, samples_for
from midge.errors import UnsupportedModelError
from midge.ir.graph import Graph, Op
from midge.ir.tensor import DType
from midge.numerics.matrix_form import MatrixForm
from midge.ops.conv2d import Conv2D
from midge.ops.fully_connected import FullyConnected
from midge.passes.float_weights import float_weights
from midge.settings import Settings

F64 = NDArray[np.float64]

# What costs so many times the layer by the estimate is not measured.
_HOPEFUL = 1.5
# Windows of more values have no covariance: it would take longer than all else.
_MOST_COLUMNS = 4096


def apply(graph: Graph, step: Factor, material: Material) -> Graph:
    """The float graph with those layers factored that become cheaper: by an estimate, or as `step.measured` by cycles.

    Ranks are `step.rank`, or the least that keep `step.energy`: of the weights' squares, or with data of the squares of
    the outputs over calibration samples. Raises UnsupportedModelError for an integer network, SettingsError for a layer
    that is not there or data without samples to calibrate on; when measuring what midge.tune.gain.cost does.
    """
    if not graph.is_float:
        raise UnsupportedModelError(
            f"{graph.name} is an integer model: factoring needs the float weights it was made from",
            hint="factor the float model, then quantize: midge quantize",
        )
    graph = float_weights(graph)
    layers = _layers(graph, step)
    moments = {} if material.data is None else _moments(graph, layers, material)
    left = []
    for op in layers:
        chosen = _chosen(graph, op, step, moments.get(op.name), material.settings)
        if chosen is None:
            left.append(op.name)
        else:
            graph = factored(graph, op, chosen)
    if left:
        what = f"rank {step.rank}" if step.rank is not None else f"{100 * step.energy:g} % of the energy"
        warnings.warn(
            f"not factored, which would cost more with {what} than it saves: {', '.join(left)}",
            CompressionNote,
            stacklevel=2,
        )
    return graph


def _layers(graph: Graph, step: Factor) -> list[Op]:
    """Fully connected layers, and convolutions of one group, with constant weights."""
    named = {op.name for w in find_weights(graph, step.layers) for op in w.layers}
    fits = [op for op in graph.ops if op.name in named and _can(graph, op)]
    rest = [op.name for op in graph.ops if op.name in step.layers and op not in fits]
    if rest or not fits:
        what = ", ".join(rest) or "the layers"
        warnings.warn(
            f"{what} of {graph.name} cannot be factored: only fully connected layers and convolutions of one group can",
            CompressionNote,
            stacklevel=3,
        )
    return fits


def _can(graph: Graph, op: Op) -> bool:
    inputs = graph.inputs_of(op)
    constant = all(t.is_constant and t.dtype is DType.F32 for t in inputs[1:])
    if isinstance(op, Conv2D):
        return constant and inputs[0].shape[3] == inputs[1].shape[3]
    return constant and isinstance(op, FullyConnected)


def _weights(graph: Graph, op: Op) -> F64:
    """(O, KH, KW, C)."""
    data = np.asarray(graph.tensors[op.inputs[1]].data, np.float64)
    return data if data.ndim == 4 else data[:, None, None, :]


def _moments(graph: Graph, layers: Sequence[Op], material: Material) -> dict[str, Moments]:
    """Of the windows of each layer over calibration samples. A covariance of few rows is drawn towards a sphere."""
    wanted = {op.name for op in layers if _weights(graph, op)[0].size <= _MOST_COLUMNS}
    sums: dict[str, tuple[F64, F64, int]] = {}

    def see(op: Op, form: MatrixForm, rows: F64) -> None:
        if op.name in wanted:
            first, second, count = sums.get(op.name, (0.0, 0.0, 0))
            sums[op.name] = first + rows[0].sum(axis=0), second + rows[0].T @ rows[0], count + len(rows[0])

    for_each_input(graph, samples_for(graph, material, "factoring"), see, material.progress)
    found = {}
    for name, (first, second, count) in sums.items():
        mean = first / count
        covariance = second / count - np.outer(mean, mean)
        unsure = len(mean) / (len(mean) + count)
        sphere = np.eye(len(mean)) * np.trace(covariance) / len(mean)
        found[name] = Moments(mean, (1 - unsure) * covariance + unsure * sphere)
    return found


def _chosen(graph: Graph, op: Op, step: Factor, moments: Moments | None, settings: Settings) -> Factoring | None:
    """The cheapest factoring that is cheaper than the layer; by a given rank the one of least error."""
    weights, most = _weights(graph, op), layer_cost(graph, op)

    def cost(plan: Plan) -> int:
        return chain_cost(graph, op, plan.form, part_shapes(plan.form, weights.shape, plan.ranks))

    prices = {plan: cost(plan) for plan in _plans(weights, step, moments, cost)}
    if step.measured:
        wider = [_in_fours(plan, weights) for plan in prices if step.rank is None]
        prices |= {plan: cost(plan) for plan in wider}
        hopeful = [plan for plan, price in prices.items() if price < _HOPEFUL * most]
        most = cycles(alone(graph, op), settings) if hopeful else 0
        single = alone(graph, op)
        prices = {p: cycles(factored(single, op, _made(weights, p, moments)), settings) for p in hopeful}
    plans = [plan for plan, price in prices.items() if price < most]
    if not plans:
        return None
    if step.rank is None:
        return _made(weights, min(plans, key=lambda plan: prices[plan]), moments)
    return min((_made(weights, plan, moments) for plan in plans), key=lambda f: f.error)


def _in_fours(plan: Plan, weights: F64) -> Plan:
    """The ranks rounded up to what kernels compute at a time, which may take no longer, and keeps more."""
    most = (len(weights), weights.shape[3]) if plan.form == "tucker" else (weights[0].size,)
    return Plan(plan.form, tuple(min(-(-r // LANES) * LANES, m) for r, m in zip(plan.ranks, most, strict=True)))


@dataclass(frozen=True)
class Plan:
    """A form at ranks: one, or of tucker the output's and the input's."""

    form: str
    ranks: tuple[int, ...]


def _plans(weights: F64, step: Factor, moments: Moments | None, cost: Callable[[Plan], int]) -> Iterator[Plan]:
    """One for each form that is asked for and that the window lets be."""
    units, height, width, depth = weights.shape
    rank = step.rank
    if step.form in ("auto", "svd"):
        energies = factorings.svd_energies(weights, moments)
        yield Plan("svd", (rank or _least(energies, step.energy),))
    if step.form in ("auto", "spatial") and height > 1 and width > 1:
        energies = factorings.spatial_energies(weights, moments)
        yield Plan("spatial", (min(rank, len(energies)) if rank else _least(energies, step.energy),))
    if step.form in ("auto", "tucker") and height * width > 1:
        if rank is not None:
            yield Plan("tucker", (min(rank, units), min(rank, depth)))
        else:
            pairs = _pairs(*factorings.tucker_energies(weights, moments), step.energy)
            yield min((Plan("tucker", pair) for pair in pairs), key=cost)


def _least(energies: F64, part: float) -> int:
    """The least rank that keeps `part` of the energy."""
    kept = np.cumsum(energies)
    return int(np.searchsorted(kept, part * kept[-1] * (1 - 1e-12)) + 1)


def _pairs(outputs: F64, inputs: F64, part: float) -> Iterator[tuple[int, int]]:
    """For each rank of the outputs the least of the inputs with which both together drop no more than 1 - `part`."""
    total = outputs.sum()
    allowed = (1 - part) * total + 1e-12 * total
    dropped = [np.append(np.cumsum(e[::-1])[::-1], 0.0)[1:] for e in (outputs, inputs)]
    for rank, lost in enumerate(dropped[0], 1):
        enough = np.flatnonzero(dropped[1] <= allowed - lost)
        if len(enough):
            yield rank, int(enough[0]) + 1


def _made(weights: F64, plan: Plan, moments: Moments | None) -> Factoring:
    if plan.form == "tucker":
        return factorings.tucker(weights, (plan.ranks[0], plan.ranks[1]), moments)
    make = factorings.svd if plan.form == "svd" else factorings.spatial
    return make(weights, plan.ranks[0], moments)
