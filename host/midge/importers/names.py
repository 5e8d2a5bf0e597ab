"""Names for tensors and layers: safe to print and to put into C comments, unique, and as short as a reader wants."""

from __future__ import annotations

import re
from collections.abc import Iterable

_UNSAFE = re.compile(r"[^A-Za-z0-9_./:;+-]")
_LONGEST = 200
_LONGEST_LAYER = 60

# Last parts of TensorFlow's paths that name a step inside a layer: `conv2d/BiasAdd` is the layer `conv2d`.
_STEPS = frozenset(
    """BiasAdd bias ReadVariableOp resource Relu Conv2D MatMul FusedBatchNormV Softmax Mean MaxPool AvgPool Reshape
    Sigmoid Tanh LeakyRelu Pad Mul Sub Add AddV Squeeze depthwise concat add""".split()  # noqa: SIM905
)
# Layers that the converter folds into the one before: a fused operator is not called after them.
_FOLDED = re.compile(r"(activation|re_?lu|leaky_re_lu|batch_norm|bn\d*$|fused_?batch_?norm)", re.IGNORECASE)
# What the converter calls a network's outputs: says nothing about the layer.
_EMPTY = re.compile(r"(identity|statefulpartitionedcall|partitionedcall|output)?[_:\d]*$", re.IGNORECASE)


def unique_names(raw: Iterable[str], *, of: str = "tensor") -> tuple[str, ...]:
    """The names made safe, non-empty and distinct, in the same order; an empty one becomes `of` and its position."""
    taken: set[str] = set()
    # Where the count for a repeated name stands: a file of equal names must not take quadratic time.
    counts: dict[str, int] = {}
    names = []
    for index, name in enumerate(raw):
        base = _UNSAFE.sub("_", name)[:_LONGEST] or f"{of}_{index}"
        candidate = base
        while candidate in taken:
            counts[base] = counts.get(base, 1) + 1
            ending = f"_{counts[base]}"
            candidate = base[: _LONGEST - len(ending)] + ending
        taken.add(candidate)
        names.append(candidate)
    return tuple(names)


def layer_name(tensor: str, code: str) -> str:
    """What to call the layer of operator `code` (say CONV_2D) that writes `tensor`: the part that says most.

    A converter joins the names of fused layers with `;`; the one that sounds like the operator wins, then the first
    that is not an activation or a batch normalization.
    """
    candidates = [name for segment in tensor.split(";") if (name := _layer_of(segment))]
    sounds_like = [name for name in candidates if _letters(name).startswith(_letters(code))]
    unfolded = [name for name in candidates if not _FOLDED.match(name)]
    chosen = (*sounds_like, *unfolded, *candidates, "")[0]
    return _UNSAFE.sub("_", chosen)[:_LONGEST_LAYER] if not _EMPTY.match(chosen) else code.lower()


def _layer_of(path: str) -> str:
    parts = [part for part in path.split("/") if part] or [""]
    while len(parts) > 1 and (step := parts[-1].rstrip("0123456789_")) in _STEPS:
        parts.pop()
        if step.islower() and step not in ("resource", "bias"):
            break
    return parts[-1]


def _letters(name: str) -> str:
    return name.replace("_", "").lower()
