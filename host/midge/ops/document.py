"""docs/operators.md from the operators' own docstrings: `python -m midge.ops.document docs/operators.md`."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from midge.importers.tflite_states import CODES as STATE_CODES
from midge.ir.graph import Op
from midge.kernels.select import variants
from midge.ops.registry import modules, onnx_readers, operators

_HEAD = """# Operators

Written by `python -m midge.ops.document docs/operators.md` from the docstrings of `host/midge/ops/`; a test holds it
current. Where TensorFlow Lite defines an integer form, int8 equals its reference kernel bit for bit.

{count} codes of TensorFlow Lite, by {kinds} operators of midge. What a network keeps between calls (ASSIGN_VARIABLE,
CALL_ONCE, READ_VARIABLE, VAR_HANDLE) is state, and no operator: see `host/midge/importers/tflite_states.py`.

An operator without a code of TensorFlow Lite is what several become together, or what ONNX has alone.

| midge | TensorFlow Lite | What it does | Inputs and limits | Types | Kernels |
| --- | --- | --- | --- | --- | --- |
"""

_MATCHES = """
## What matches

Recorded models whose outputs midge reproduces, integers bit for bit, floats within 1e-4 and dynamic ranges within 1 %
of the largest output: {tflite} of 96 `.tflite` files (in the interpreter; the tests say which also as C and on cores),
{onnx} of 7 `.onnx` files and {keras} of 8 Keras files (each also as C; the quantized `.onnx` by the definition of
ONNX's own operators). Of ONNX's 204 operator cases {cases} pass as C; see [onnx_cases.md](onnx_cases.md).
"""
# At least so many; the tests that count them hold it.
MATCHES = {"tflite": 96, "onnx": 7, "keras": 8, "cases": 204}

# What TensorFlow Lite for Microcontrollers has and midge has not, and what to do instead.
LACKING = {
    "BROADCAST_ARGS": "shapes are static: the converter folds it where shapes are given",
    "CIRCULAR_BUFFER": "of streaming models before 2021: convert again, with variables (VAR_HANDLE)",
    "DYNAMIC_UPDATE_SLICE": "a part of a tensor overwritten at a computed place: write with CONCATENATION or SELECT_V2",
    "IF, WHILE": "control flow: export loops unrolled (unroll=True in Keras), branches chosen",
    "L2_POOL_2D": "SQUARE, AVERAGE_POOL_2D and SQRT are the same",
    "signal's (RFFT, FFT_AUTO_SCALE, FILTER_BANK, WINDOW, FRAMER, ENERGY, PCAN, DELAY, STACKER, OVERLAP_ADD, ...)": (
        "features are made before the network: leave them out of the model file"
    ),
    "ETHOSU, DECODE": "made for other runtimes: give midge the model from before their compiler",
}

_LACKS = """
## What TensorFlow Lite for Microcontrollers has besides

| Operator | Instead |
| --- | --- |
"""

_ONNX = """
{} codes of ONNX are read as these operators, one or several: {}.
"""


def document() -> str:
    """The page: one line for each operator."""
    lines = []
    count = 0
    for module in modules():
        kind = module.__name__.rpartition(".")[2]
        codes = sorted(getattr(module, "TFLITE", {}))
        operator = operators().get(kind)
        if operator is None:
            continue
        count += len(codes)
        kernels = "none: a view" if operator.is_view else ", ".join(v.name for v in variants(operator.family or kind))
        does = _text(module).partition(": ")[2]
        cells = (kind, ", ".join(codes), does, _text(operator), _types(operator), kernels)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    codes = sorted(onnx_readers())
    table = _HEAD.format(count=count + len(STATE_CODES), kinds=len(lines)) + "".join(lines)
    lacks = _LACKS + "".join(f"| {code} | {instead} |\n" for code, instead in LACKING.items())
    return table + _ONNX.format(len(codes), ", ".join(codes)) + lacks + _MATCHES.format(**MATCHES)


def _types(operator: type[Op]) -> str:
    """What types it can be of: by its check, and by name where the class has a list."""
    quantized = getattr(operator, "quantized", ())
    names = f" Quantized: {', '.join(sorted(t.value for t in quantized))}." if quantized else ""
    whole = (
        " Int32 without a scale."
        if getattr(operator, "has_whole", False) and "int32" not in _text(operator.check).lower()
        else ""
    )
    return _text(operator.check) + names + whole


def _text(item: object) -> str:
    """A docstring in one line, without what it says of sources."""
    text = " ".join((inspect.getdoc(item) or "").split())
    return text.partition(" Source:")[0]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document())
