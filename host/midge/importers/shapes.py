"""Shapes that the user gives to a network's inputs, where the file leaves dimensions open."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from midge.errors import SettingsError
from midge.ir.graph import Graph, Shape

_FORM = "of the form NAME=1,28,28, every dimension at least 1"

Shapes = Mapping[str, Shape]


def parse_shapes(texts: Sequence[str]) -> Shapes:
    """The shapes that `NAME=1,28,28` says, by the name of the input. Raises SettingsError for anything else."""
    shapes: dict[str, Shape] = {}
    for text in texts:
        name, equals, dimensions = text.rpartition("=")
        parts = dimensions.replace("x", ",").split(",")
        if not (equals and name) or not all(part.strip().isdecimal() and len(part) < 10 for part in parts):
            raise SettingsError(f"--shape {text}: not {_FORM}", hint="for example --shape input_1=1,28,28")
        shapes[name] = tuple(int(part) for part in parts)
        if 0 in shapes[name]:
            raise SettingsError(f"--shape {text}: a dimension of 0", hint=f"write it {_FORM}")
    return shapes


def check_names(shapes: Shapes, inputs: Collection[str], model: str) -> None:
    """Raise SettingsError for a shape of an input that the network does not have."""
    if unknown := sorted(set(shapes) - set(inputs)):
        raise SettingsError(
            f"--shape {unknown[0]}: {model} has no such input", hint=f"its inputs are {', '.join(sorted(inputs)[:20])}"
        )


def check_fixed(shapes: Shapes, graph: Graph) -> None:
    """Raise SettingsError where a shape is not the one that the file fixes."""
    check_names(shapes, graph.inputs, graph.name)
    for name, shape in shapes.items():
        if graph.tensors[name].shape != shape:
            raise SettingsError(
                f"--shape {name}: the file fixes the shape {list(graph.tensors[name].shape)}",
                hint="leave --shape out, or export the model with another shape",
            )


def resolve(name: str, dimensions: Sequence[int], given: Shape | None) -> tuple[Shape, tuple[int, ...]]:
    """The shape of an input whose open dimensions are 0, and the indices of those that stay open (then 1 in the shape).

    `given` fills them; a first dimension that is left open is a batch of 1. Raises SettingsError where `given` has
    another rank, or contradicts a dimension that the file fixes.
    """
    if given is None:
        missing = tuple(i for i, d in enumerate(dimensions) if d < 1 and i > 0)
        return tuple(max(d, 1) for d in dimensions), missing
    if len(given) != len(dimensions) or any(d > 0 and d != g for d, g in zip(dimensions, given, strict=True)):
        raise SettingsError(
            f"--shape {name}={','.join(map(str, given))}: the file says {describe(dimensions)}",
            hint="give a number for each ?, and leave the others as they are",
        )
    return given, ()


def describe(dimensions: Sequence[int]) -> str:
    """A shape with ? for open dimensions: 1,?,5."""
    return ",".join(str(d) if d > 0 else "?" for d in dimensions)
