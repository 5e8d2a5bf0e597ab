"""One row of docs/compression.md for one network and one seed; what was measured once is kept below build/compress.

What is kept is found again by its content: the network's file, its data, the row, the seed, and the source of every
module that the row's steps run. Costs are kept by the deployed network and the source of the kernels.
"""

from __future__ import annotations

import ast
import hashlib
import json
import pickle
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from compression_rows import TEACHER, Row
from compression_tasks import BOARD, CHECKED

import midge
from midge.compress.apply import compress
from midge.compress.steps import AnyStep, Distil
from midge.data import Dataset, load_data
from midge.importers import import_model
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import Array, DType
from midge.passes import CANONICALIZE, OPTIMIZE, run_passes
from midge.quantize.model import quantize_model
from midge.settings import Settings, settings_to_toml
from midge.train.module import GraphModule
from midge.tune.gain import cost
from midge.tune.memory import kernels_version

BUILD = Path(__file__).resolve().parent.parent / "build" / "compress"
PLAIN = Settings(board=BOARD, calibration_samples=100, optimize="speed")
_PACKAGE = Path(midge.__file__).parent


@dataclass(frozen=True)
class Place:
    """A network of one seed: its file, that of the student of half the size, and the data of both."""

    model: Path
    student: Path | None
    data: Path
    seed: int

    def start(self, row: Row) -> Path:
        """The file that the row's steps begin with."""
        return self.student if row.student and self.student is not None else self.model


def measured(place: Place, row: Row, *, with_cost: bool, known: bool = False) -> dict[str, Any]:
    """Which samples of split 0 are right, as bits, and what the network costs on the core where that is asked for.

    Where neither the network nor the steps depend on the seed, it is measured once for all. `known` alone: nothing is
    measured anew, and KeyError raised for what was not before.
    """
    settings = replace(PLAIN, **row.settings, seed=place.seed if row.is_trained or place.student else 0)
    steps = [_with_teacher(step, place.model) for step in row.steps]
    source = [_sha(place.start(row)), _sha(place.model) if steps != list(row.steps) else "", _sha(place.data)]
    named = settings_to_toml(replace(settings, compress=row.steps))
    key = _digest([*source, named, sources(tuple(type(step).module for step in row.steps))])
    graph_file = BUILD / "graphs" / f"{key}.pickle"

    def answers() -> dict[str, Any]:
        graph, data = _deployed(place.start(row), place.data, steps, settings)
        graph_file.parent.mkdir(parents=True, exist_ok=True)
        graph_file.write_bytes(pickle.dumps(graph))
        right = _right(graph, data)
        return {"right": np.packbits(right).tobytes().hex(), "samples": len(right), "macs": graph.macs} | _weights(
            graph
        )

    found = _kept(key, answers, known)
    if with_cost:
        costs = _digest([_sha(graph_file), kernels_version(), BOARD])
        found |= _kept(costs, lambda: _cost(pickle.loads(graph_file.read_bytes()), settings), known)
    return found


@cache
def sources(modules: tuple[str, ...]) -> str:
    """A digest of these modules and of all of compress, train and quantize that they import."""
    seen: dict[str, bytes] = {}
    waiting = ["midge.quantize.model", *modules]
    while waiting:
        name = waiting.pop()
        path = _PACKAGE.parent.joinpath(*name.split("."))
        file = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
        if name in seen or not file.is_file():
            continue
        seen[name] = file.read_bytes()
        waiting += [
            n for n in _imports(seen[name]) if n.startswith(("midge.compress", "midge.train", "midge.quantize"))
        ]
        if file.name == "__init__.py":
            waiting += [f"{name}.{p.stem}" for p in path.glob("*.py") if p.stem != "__init__"]
    return _digest([name + hashlib.sha256(text).hexdigest() for name, text in sorted(seen.items())])


def _imports(text: bytes) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in found if name not in ("midge.compress", "midge.train", "midge.quantize")]


def _deployed(model: Path, data_file: Path, steps: list[AnyStep], settings: Settings) -> tuple[Graph, Dataset]:
    graph = run_passes(import_model(model).graph, CANONICALIZE)
    data = load_data(data_file, graph)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = compress(graph, steps, data, settings)
        return run_passes(quantize_model(graph, settings, data), OPTIMIZE), data


def _right(graph: Graph, data: Dataset) -> Array:
    """Which samples of split 0 are told right, by the torch module that computes what the integers do."""
    assert data.labels is not None
    labels = data.labels[data.evaluate]
    module = GraphModule(graph).eval()
    real = replace(graph.input_tensors[0], dtype=DType.F32, quant=None)
    samples = data.inputs_for(real, data.evaluate)
    found = []
    with torch.no_grad():
        for begin in range(0, len(samples), 100):
            values = module.run(torch.from_numpy(samples[begin : begin + 100]))
            found.append(values[module.graph.outputs[0]].reshape(-1, graph.output_tensors[0].elements).numpy())
    classes = np.concatenate(found).argmax(axis=1)
    for place, x in enumerate(data.inputs_for(graph.input_tensors[0], data.evaluate[:CHECKED])):
        answer = int(interpret(graph, [x])[0].argmax())
        if answer != classes[place]:
            raise SystemExit(f"{graph.name}: sample {place} is {answer} by the interpreter, {classes[place]} by torch")
    right: Array = classes == labels
    return right


def _weights(graph: Graph) -> dict[str, int]:
    tensors = [graph.tensors[op.inputs[index]] for op in graph.ops for index in op.weight_axis]
    weights = [t.data for t in tensors if t.data is not None]
    return {
        "weights": sum(w.size for w in weights),
        "weights_not_zero": sum(int(np.count_nonzero(w)) for w in weights),
    }


def _cost(graph: Graph, settings: Settings) -> dict[str, int]:
    found = cost(graph, settings)
    return {"cycles": found.cycles, "const_bytes": found.const_bytes, "code_bytes": found.code_bytes}


def _kept(key: str, make: Callable[[], dict[str, Any]], known: bool) -> dict[str, Any]:
    path = BUILD / f"{key}.json"
    if path.is_file():
        there: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return there
    if known:
        raise KeyError(key)
    made = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(made) + "\n", encoding="utf-8")
    return made


def _with_teacher(step: AnyStep, teacher: Path) -> AnyStep:
    is_teachers = isinstance(step, Distil) and step.teacher == TEACHER
    return msgspec.structs.replace(step, teacher=str(teacher)) if is_teachers else step


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256(repr(list(parts)).encode()).hexdigest()[:20]


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
