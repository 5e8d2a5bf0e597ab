"""Chooses a kernel variant for each layer: those that the core can run and that fit, in the order of preference."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from midge.boards import Core
from midge.errors import InternalError, SettingsError, UnsupportedModelError
from midge.ir.graph import Graph
from midge.kernels.flash_budget import flash_bytes_of, give_way, share_growth
from midge.kernels.timings import Timings, signature
from midge.kernels.variant import Layer, Variant
from midge.settings import Goal

# A variant that nobody measured comes after those that somebody did.
_UNMEASURED = 1 << 62


@dataclass(frozen=True)
class _Allowance:
    """What a faster variant may take: constants, as a multiple of the plainest variant's and so many bytes more, and
    scratch memory."""

    flash: float
    flash_bytes: int
    scratch_bytes: int


# For every core; constants packed, coded or computed where the layer allows.
_PLAINEST = ("portable", "packed", "coded", "computed")
# What a slow variant may take at most, of what the others take.
_SLOW_GAIN = 0.9
# `speed` takes what doubles a layer's constants, and what takes more as midge.kernels.flash_budget shares it out. A few
# bytes more let small layers, of which there are few, have their fast kernels.
_ALLOWANCES: Mapping[Goal, _Allowance] = {"balanced": _Allowance(1.25, 32, 4096), "size": _Allowance(1.03, 0, 256)}


@dataclass(frozen=True, eq=False)
class Selection:
    """A graph with the variant of each of its ops, in order; views have none."""

    graph: Graph
    variants: tuple[Variant | None, ...]

    def layers(self) -> tuple[tuple[Layer, Variant], ...]:
        """The layers that run code, in order."""
        pairs = zip(self.graph.ops, self.variants, strict=True)
        return tuple((layer_of(self.graph, i), v) for i, (_, v) in enumerate(pairs) if v is not None)


def refuse_floats(selection: Selection, core: Core) -> None:
    """Refuse, in words, layers that compute with floats which the compiler of the core's twin cannot link.

    Raises UnsupportedModelError with every such layer. What PlatformIO brings for a board is another compiler.
    """
    if core.gcc is None or core.gcc.floats:
        return
    layers = [layer.op.name for layer, variant in selection.layers() if variant.floats(layer)]
    if layers:
        raise UnsupportedModelError(
            f"{core.gcc.command} brings no float arithmetic for {core.name}, with which these layers compute: "
            + ", ".join(layers),
            hint="int8 all through (--data to calibrate on), or another core",
        )


def layer_of(graph: Graph, index: int) -> Layer:
    """Op `index` of the graph with its tensors."""
    op = graph.ops[index]
    return Layer(op, graph.inputs_of(op), graph.outputs_of(op))


@cache
def variants(kind: str) -> tuple[Variant, ...]:
    """The variants of one operator: special ones, slow ones, the portable one, else in name order."""
    try:
        package = importlib.import_module(f"midge.kernels.{kind}")
    except ModuleNotFoundError:
        return ()
    names = (info.name for info in pkgutil.iter_modules(package.__path__))
    found = [importlib.import_module(f"midge.kernels.{kind}.{name}").VARIANT for name in names]
    return tuple(sorted(found, key=lambda v: (v.name.startswith("portable"), v.slow, not v.signs, v.name)))


@cache
def kinds() -> tuple[str, ...]:
    """The operators that have kernels."""
    package = importlib.import_module("midge.kernels")
    return tuple(sorted(info.name for info in pkgutil.iter_modules(package.__path__) if info.ispkg))


def select(
    graph: Graph,
    core: Core,
    goal: Goal = "speed",
    overrides: Mapping[str, str] | None = None,
    timings: Timings | None = None,
    flash_bytes: int | None = None,
) -> Selection:
    """The best variant of each op that the core can run and that fits the layer.

    `overrides` is {op kind: variant name}, for the layers where that variant fits; `timings` are measured cycles.
    What more than doubles a layer's constants shares an allowance. `flash_bytes` is the board's flash: where the best
    take more, those that save most give way.
    Raises SettingsError for an override that names no kernel, InternalError when nothing fits (then `check` of the
    operator lets through what no kernel does).
    """
    wanted = dict(overrides or {})
    for kind, name in wanted.items():
        _check_override(kind, name)
    ranked: dict[int, list[Variant]] = {}
    for index, op in enumerate(graph.ops):
        if not op.is_view:
            ranked[index] = _best(layer_of(graph, index), core, goal, wanted.get(op.kernels), timings or {})
    layers = {index: layer_of(graph, index) for index in ranked}
    share_growth(layers, ranked)
    if flash_bytes is not None:
        room = (flash_bytes - core.harness.flash_bytes) * 7 // 8
        give_way(layers, ranked, room)
    first = {index: found[0] for index, found in ranked.items()}
    return Selection(graph, tuple(first.get(index) for index in range(len(graph.ops))))


def able_variants(layer: Layer, core: Core, name: str | None = None) -> tuple[Variant, ...]:
    """The variants, of one name or of all, that the core can run and that fit the layer, in the declared order."""
    # Whether a variant fits may take a search for its constants: last.
    named = (v for v in variants(layer.op.kernels) if name in (None, v.name))
    return tuple(v for v in named if v.runs_on(core) and v.fits(layer))


def _best(layer: Layer, core: Core, goal: Goal, wanted: str | None, timings: Timings) -> list[Variant]:
    """Best first; the wanted one alone where it is able."""
    if wanted is not None and (preferred := able_variants(layer, core, wanted)):
        return [preferred[0]]
    able = able_variants(layer, core)
    if not able:
        types = ", ".join(t.dtype.value for t in (*layer.inputs, *layer.outputs))
        raise InternalError(f"no kernel does {layer.op.name} ({layer.op.kind} on {types}) for {core.name}")
    return _ranked(layer, able, goal, timings)


def _ranked(layer: Layer, able: Sequence[Variant], goal: Goal, timings: Timings) -> list[Variant]:
    """Best first: by measured cycles, else by estimated ones, else in the declared order; but variants that take more
    memory than the goal allows come last, the plainest of them first.

    Packed weights save flash and cost cycles. So for `speed` they come behind the others unless they were measured to
    lose nothing; `balanced` takes those that the core has kernels of its own for; `size` takes what is smallest. Who
    takes less flash than the plainest may take as much scratch memory more.
    """
    if len(able) == 1:
        return list(able)
    cycles = timings.get(signature(layer), {})
    fastest = sorted(by_estimate(layer, able), key=lambda v: (cycles.get(v.name, _UNMEASURED), v.packed))
    allowance = _ALLOWANCES.get(goal)
    if allowance is None:
        return fastest
    plainest = able[-1]
    if goal == "balanced":
        fastest.sort(key=lambda v: not (v.signs or (v.packed and v.needs)))
    else:
        plainest = _smallest(layer, able)
    sizes = {v.name: flash_bytes_of(layer, v) for v in able}
    most = sizes[plainest.name]
    light = [v for v in fastest if v.scratch_bytes(layer) <= max(allowance.scratch_bytes, most - sizes[v.name])]
    least = min([most, *(sizes[v.name] for v in light if v.cycles)]) if goal == "size" else most
    return [*(v for v in light if sizes[v.name] <= allowance.flash * least + allowance.flash_bytes), plainest]


def _smallest(layer: Layer, able: Sequence[Variant]) -> Variant:
    """The plain variant that takes the least flash; a slow one where it takes clearly less than the others."""
    plain = [v for v in able if v.name in _PLAINEST]
    return min(plain, key=lambda v: flash_bytes_of(layer, v) / (_SLOW_GAIN if v.slow else 1))


def by_estimate(layer: Layer, able: Sequence[Variant]) -> list[Variant]:
    """The same variants, those that estimate their cycles by these in the places that they have together."""
    quickest = iter(sorted((v.cycles(layer), place) for place, v in enumerate(able) if v.cycles))
    return [able[next(quickest)[1]] if v.cycles else v for v in able]


def _check_override(kind: str, name: str) -> None:
    names = [v.name for v in variants(kind)]
    if not names:
        known = ", ".join(kinds())
        raise SettingsError(f"--kernel {kind}={name}: no operator is called {kind}", hint=f"one of {known}")
    if name not in names:
        raise SettingsError(f"--kernel {kind}={name}: no such variant", hint=f"one of {', '.join(names)}")
