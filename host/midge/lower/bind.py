"""bind: kernels pack their weights and derive their literals; offsets and symbols are filled in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from midge import __version__
from midge.ir.graph import Graph
from midge.ir.tensor import Tensor
from midge.kernels.select import Selection
from midge.kernels.variant import Binding, Layer, Variant
from midge.lower.names import c_name, unique
from midge.lower.program import Argument, ConstantArray, KernelCall, Port, Program, StateSlot
from midge.memory.lifetimes import Lifetimes, scratch_name
from midge.memory.plan import MemoryPlan


def bind(selection: Selection, alive: Lifetimes, plan: MemoryPlan) -> Program:
    """The Program of a planned selection; deterministic in its arguments."""
    graph = selection.graph
    name = c_name(graph.name)
    prefix = f"midge_{name}"
    layers = selection.layers()
    symbols = unique(f"{prefix}_{c_name(layer.op.name)}" for layer, _ in layers)
    calls: list[KernelCall] = []
    stored = _Stored({})
    for index, ((layer, variant), symbol) in enumerate(zip(layers, symbols, strict=True)):
        binding = variant.bind(layer)
        kept = stored.add(layer, binding, symbol)
        calls.append(_call(index, layer, variant, binding, kept, alive, plan))
    constants = list(stored.arrays.values())
    slots, initial = _states(graph, prefix, plan)
    constants += initial
    return Program(
        name=name,
        prefix=prefix,
        hash=_hash(calls, constants, slots),
        midge_version=__version__,
        # C has no arrays without elements.
        arena_bytes=max(plan.arena_bytes, 1),
        arena_lower_bound_bytes=plan.lower_bound_bytes,
        scratch_bytes=max((variant.scratch_bytes(layer) for layer, variant in layers), default=0),
        inputs=_ports(graph, graph.inputs, "input", alive, plan),
        outputs=_ports(graph, graph.outputs, "output", alive, plan),
        constants=tuple(constants),
        calls=tuple(calls),
        state_bytes=plan.state_bytes,
        states=tuple(slots),
    )


def _states(graph: Graph, prefix: str, plan: MemoryPlan) -> tuple[list[StateSlot], list[ConstantArray]]:
    """Where the states lie, and the initial values that are no repeated byte."""
    slots: list[StateSlot] = []
    constants: list[ConstantArray] = []
    for state in sorted(graph.states, key=lambda t: plan.offsets[t.name]):
        raw = np.frombuffer(np.ascontiguousarray(state.initial).tobytes(), np.uint8)
        fill = int(raw[0]) if (raw == raw[0]).all() else None
        symbol = None if fill is not None else f"{prefix}_initial_{len(constants)}"
        if symbol is not None:
            constants.append(ConstantArray(symbol, "uint8_t", raw, f"{state.name} after a reset"))
        place = plan.offsets[state.name]
        slots.append(StateSlot(state.name, state.shape, state.dtype, place, state.bytes, fill, symbol))
    return slots, constants


@dataclass(frozen=True, eq=False)
class _Kept:
    """Where the constants of a layer are, by role, and how many bytes of them no earlier layer has brought."""

    symbols: Mapping[str, str]
    new_bytes: int


@dataclass(frozen=True, eq=False)
class _Stored:
    """Constants by what they hold: equal ones lie in flash once, whoever reads them."""

    arrays: dict[tuple[str, bytes], ConstantArray]

    def add(self, layer: Layer, binding: Binding, symbol: str) -> _Kept:
        symbols, new_bytes = {}, 0
        for c in binding.constants:
            values = np.ascontiguousarray(c.values).reshape(-1)
            key = (c.c_type, values.tobytes())
            there = self.arrays.get(key)
            if there is None:
                self.arrays[key] = ConstantArray(f"{symbol}_{c.role}", c.c_type, values, layer.op.name)
                new_bytes += values.nbytes
            elif layer.op.name not in there.comment.split(", "):
                self.arrays[key] = replace(there, comment=f"{there.comment}, {layer.op.name}")
            symbols[c.role] = self.arrays[key].symbol
        return _Kept(symbols, new_bytes)


def _call(
    index: int, layer: Layer, variant: Variant, binding: Binding, kept: _Kept, alive: Lifetimes, plan: MemoryPlan
) -> KernelCall:
    def place(tensor: Tensor) -> int:
        return plan.offsets[alive.buffer_of[tensor.name]]

    arguments = [
        Argument(f"in{i}", t.dtype.c_type, True, offset=place(t))
        for i, t in enumerate(layer.inputs)
        if not t.is_constant and i not in layer.op.updates
    ]
    states = [(k, layer.inputs[i]) for k, i in enumerate(layer.op.updates)]
    arguments += [Argument(f"state{k}", t.dtype.c_type, False, offset=place(t)) for k, t in states]
    written = [(i, t) for i, t in enumerate(layer.outputs) if i not in layer.op.updates.values()]
    arguments += [Argument(f"out{i}", t.dtype.c_type, False, offset=place(t)) for i, t in written]
    arguments += [Argument(c.role, c.c_type, True, symbol=kept.symbols[c.role]) for c in binding.constants]
    if variant.scratch_bytes(layer):
        arguments.append(Argument("scratch", "uint8_t", False, offset=plan.offsets[scratch_name(layer.op.name)]))
    shapes = f"{_shapes(t for t in layer.inputs if not t.is_constant)} -> {_shapes(layer.outputs)}"
    return KernelCall(
        index,
        layer.op.name,
        layer.op.kind,
        variant.name,
        variant.template,
        binding.params,
        tuple(arguments),
        shapes,
        layer.op.macs(layer.inputs, layer.outputs),
        kept.new_bytes,
        "binary" if variant.signs else _width(binding) if variant.packed else None,
    )


def _width(binding: Binding) -> str | None:
    width = binding.params.get("width")
    return None if width is None else str(width)


def _shapes(tensors: object) -> str:
    return ", ".join("x".join(map(str, t.shape)) or "1" for t in tensors)  # type: ignore[attr-defined]


def _ports(graph: Graph, names: tuple[str, ...], kind: str, alive: Lifetimes, plan: MemoryPlan) -> tuple[Port, ...]:
    ports = []
    for i, name in enumerate(names):
        t = graph.tensors[name]
        symbol = kind if len(names) == 1 else f"{kind}{i}"
        offset = plan.offsets[alive.buffer_of[name]]
        ports.append(Port(name, symbol, t.shape, t.dtype, t.quant, offset, t.bytes, t.elements))
    return tuple(ports)


def _hash(calls: list[KernelCall], constants: list[ConstantArray], states: list[StateSlot]) -> str:
    """SHA-256 over all that decides what is computed: two firmwares with one hash compute the same."""
    digest = hashlib.sha256()
    for call in calls:
        digest.update(repr((call.op, call.variant, sorted(call.params.items()), call.arguments)).encode())
    for constant in constants:
        digest.update(f"{constant.symbol} {constant.c_type} ".encode())
        digest.update(constant.values.tobytes())
    for state in states:
        digest.update(repr((state.offset, state.bytes, state.fill, state.symbol)).encode())
    return digest.hexdigest()
