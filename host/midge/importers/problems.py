"""Gathers all that midge cannot do in a model into one error."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from midge.errors import UnsupportedModelError
from midge.ir.tensor import DType, Tensor

_WIDTH = 110
_CHANGE_OPERATOR = "replace the layer by operators that midge has"
_SUBGRAPH_OPERATORS = {"CALL", "IF", "WHILE", "STABLEHLO_WHILE", "STABLEHLO_COMPOSITE"}
_CHANGE_TYPES = "export the model as float32, or as full-integer int8 with a representative dataset"


@dataclass(frozen=True)
class Problem:
    """One layer that cannot be done: its name, its operator, why not, and what would make it work."""

    layer: str
    code: str
    reason: str
    remedy: str


def unknown_operator(layer: str, code: str) -> Problem:
    """The problem of an operator that no module of midge.ops reads."""
    if code in _SUBGRAPH_OPERATORS:
        return Problem(
            layer,
            code,
            "it runs other subgraphs of the file; midge runs the first, and once what CALL_ONCE calls",
            "export the model without control flow: loops unrolled (unroll=True in Keras), branches chosen",
        )
    return Problem(layer, code, "midge does not have this operator", _CHANGE_OPERATOR)


def wrong_types(layer: str, code: str, reason: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Problem:
    """The problem of an operator that refuses its tensors; kinds of quantization that have a name get one reason."""
    kinds = {t.dtype for t in (*inputs, *outputs) if not t.is_constant}
    if DType.S16 in kinds:
        remedy = "convert with supported_ops = [TFLITE_BUILTINS_INT8] instead of the int16 mode"
        return Problem(layer, code, reason, remedy)
    if DType.U8 in kinds and DType.S8 not in kinds:
        return Problem(
            layer,
            code,
            "a uint8 model, as TensorFlow 1 quantized: midge does float32 and full-integer int8",
            "convert again with TensorFlow 2, which quantizes to int8",
        )
    if DType.F32 in kinds and any(t.dtype is DType.S8 and t.is_constant for t in inputs):
        return Problem(
            layer,
            code,
            "a dynamic-range (hybrid) model: int8 weights with float activations",
            "convert without optimizations (midge quantizes the float32 model itself), or to full-integer int8 "
            "with a representative dataset",
        )
    return Problem(layer, code, reason, _CHANGE_TYPES)


def unsupported(name: str, problems: Sequence[Problem], known: Collection[str]) -> UnsupportedModelError:
    """One error for all `problems`, those of one cause together; `known` are the operators that midge has."""
    groups: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        groups.setdefault((problem.reason, problem.remedy), []).append(problem)
    lines = [f"{name} needs what midge does not do, in {_count(problems)}:"]
    for (reason, remedy), members in groups.items():
        lines += [f"  {_layers(members)}", f"    {reason}", f"    -> {remedy}"]
    has = f"; midge has {', '.join(sorted(known))}" if known else ""
    return UnsupportedModelError("\n".join(lines), hint=f"change these layers and export again{has}")


def _layers(members: Sequence[Problem]) -> str:
    by_code: dict[str, list[str]] = {}
    for member in members:
        by_code.setdefault(member.code, []).append(member.layer)
    text = "; ".join(f"{code}: {', '.join(layers)}" for code, layers in by_code.items())
    return "\n    ".join(textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False))


def _count(problems: Sequence[Problem]) -> str:
    return "1 place" if len(problems) == 1 else f"{len(problems)} places"
