"""The loops of operators that reduce some axes: over the kept dimensions, around those over the reduced ones."""

from __future__ import annotations

from collections.abc import Collection
from math import prod

from midge.ir.tensor import Shape
from midge.kernels.geometry import Dim, merged


def reduced_loops(shape: Shape, axes: Collection[int]) -> tuple[dict[str, object], int]:
    """What a template reads of both nests, named kept_ and reduced_, and how many values make one."""
    dims = [Dim(n, (prod(shape[axis + 1 :]),)) for axis, n in enumerate(shape)]
    kept = merged([d for axis, d in enumerate(dims) if axis not in axes])
    reduced = merged([d for axis, d in enumerate(dims) if axis in axes])
    return {**_loops("kept", "o", kept), **_loops("reduced", "i", reduced)}, prod(d.size for d in reduced)


def _loops(kind: str, letter: str, dims: tuple[Dim, ...]) -> dict[str, object]:
    names = [f"{letter}{k}" for k in range(len(dims))] if len(dims) > 1 else [letter][: len(dims)]
    return {
        f"{kind}_names": names,
        f"{kind}_sizes": [d.size for d in dims],
        f"{kind}_strides": [d.strides[0] for d in dims],
    }
