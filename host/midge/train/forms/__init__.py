"""How torch computes each operator on real values: every module here has FORMS, from an operator's kind to its form.

Values have the shapes of the graph behind one more axis, that of the samples; a constant has one sample.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from midge.errors import UnsupportedModelError
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Tensor

# A torch.Tensor; torch is not followed by the type checker.
Value = Any


@dataclass(frozen=True, eq=False)
class Layer:
    """An operator with the tensors that it reads and writes; `kept`: what its form need not make again."""

    op: Any
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    kept: dict[str, Value] = field(default_factory=dict)


Form = Callable[[Layer, Sequence[Value]], Sequence[Value]]


@cache
def forms() -> Mapping[str, Form]:
    """Every form by the kind of its operator."""
    package = importlib.import_module("midge.train.forms")
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"midge.train.forms.{name}") for name in names]
    return {kind: form for module in modules for kind, form in module.FORMS.items()}


def layers_of(graph: Graph) -> list[tuple[Layer, Form]]:
    """The layers of a network with their forms. Raises UnsupportedModelError naming all that have none."""
    known = forms()
    missing: dict[str, list[Op]] = {}
    for op in graph.ops:
        if op.kind not in known:
            missing.setdefault(op.kind, []).append(op)
    if missing:
        listed = "; ".join(f"{kind} ({', '.join(op.name for op in ops)})" for kind, ops in sorted(missing.items()))
        raise UnsupportedModelError(
            f"{graph.name} has operators that midge does not train through: {listed}",
            hint="compress without training, or train in the framework that the model is from",
        )
    return [(Layer(op, graph.inputs_of(op), graph.outputs_of(op)), known[op.kind]) for op in graph.ops]


def clamped(y: Value, clamp: tuple[float, float]) -> Value:
    """The fused activation, where there is one."""
    low, high = clamp
    if low == 0 and high == float("inf"):
        return y.relu()
    return y if low == -float("inf") and high == float("inf") else y.clamp(low, high)
