"""Chooses a kernel variant for each layer: those that the core can run and that fit, in the order of preference."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from midge.boards import Core
from midge.errors import InternalError, SettingsError
from midge.ir.graph import Graph
from midge.kernels.variant import Layer, Variant


@dataclass(frozen=True, eq=False)
class Selection:
    """A graph with the variant of each of its ops, in order; views have none."""

    graph: Graph
    variants: tuple[Variant | None, ...]

    def layers(self) -> tuple[tuple[Layer, Variant], ...]:
        """The layers that run code, in order."""
        pairs = zip(self.graph.ops, self.variants, strict=True)
        return tuple((layer_of(self.graph, i), v) for i, (_, v) in enumerate(pairs) if v is not None)


def layer_of(graph: Graph, index: int) -> Layer:
    """Op `index` of the graph with its tensors."""
    op = graph.ops[index]
    return Layer(op, graph.inputs_of(op), graph.outputs_of(op))


@cache
def variants(kind: str) -> tuple[Variant, ...]:
    """The variants of one operator, special ones before the portable one, else in name order."""
    try:
        package = importlib.import_module(f"midge.kernels.{kind}")
    except ModuleNotFoundError:
        return ()
    names = (info.name for info in pkgutil.iter_modules(package.__path__))
    found = [importlib.import_module(f"midge.kernels.{kind}.{name}").VARIANT for name in names]
    return tuple(sorted(found, key=lambda v: (v.name.startswith("portable"), v.name)))


@cache
def kinds() -> tuple[str, ...]:
    """The operators that have kernels."""
    package = importlib.import_module("midge.kernels")
    return tuple(sorted(info.name for info in pkgutil.iter_modules(package.__path__) if info.ispkg))


def select(graph: Graph, core: Core, overrides: Mapping[str, str] | None = None) -> Selection:
    """The first variant of each op that fits; `overrides` is {op kind: variant name}.

    Raises SettingsError for an override that names no kernel, InternalError when nothing fits (then `check` of the
    operator lets through what no kernel does).
    """
    wanted = dict(overrides or {})
    for kind, name in wanted.items():
        _check_override(kind, name)
    chosen = []
    for index, op in enumerate(graph.ops):
        chosen.append(None if op.is_view else _best(layer_of(graph, index), core, wanted.get(op.kind)))
    return Selection(graph, tuple(chosen))


def _best(layer: Layer, core: Core, wanted: str | None) -> Variant:
    able = [v for v in variants(layer.op.kind) if v.needs <= set(core.features) and v.fits(layer)]
    preferred = [v for v in able if v.name == wanted]
    for variant in (*preferred, *able):
        return variant
    types = ", ".join(t.dtype.value for t in (*layer.inputs, *layer.outputs))
    raise InternalError(f"no kernel does {layer.op.name} ({layer.op.kind} on {types}) for {core.name}")


def _check_override(kind: str, name: str) -> None:
    names = [v.name for v in variants(kind)]
    if not names:
        known = ", ".join(kinds())
        raise SettingsError(f"--kernel {kind}={name}: no operator is called {kind}", hint=f"one of {known}")
    if name not in names:
        raise SettingsError(f"--kernel {kind}={name}: no such variant", hint=f"one of {', '.join(names)}")
