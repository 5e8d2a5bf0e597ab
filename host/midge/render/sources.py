"""render: the Program as C files. Layers whose functions are equal share one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from midge.lower.program import Argument, KernelCall, Program
from midge.render.environment import environment
from midge.render.layout import fold, indent_blocks
from midge.resources import firmware_dir
from midge.settings import Spoken

# The C files of a model: file name -> text.
Sources = Mapping[str, str]

# What makes the firmware speak a protocol: midge's own also times layers.
PROTOCOL_MACRO: dict[Spoken, str] = {"midge": "MIDGE_PROFILE", "mlperf-tiny": "MIDGE_PROTOCOL_MLPERF_TINY"}

# Elements of input and output of the benchmark's networks.
_BENCHMARK_IDS = {(490, 12): "kws01", (96 * 96 * 3, 2): "vww01", (32 * 32 * 3, 10): "ic01", (640, 640): "ad01"}

MODEL_FILES = ("model.h", "model.c", "weights.h", "weights.c")


@dataclass(frozen=True)
class Function:
    """A C function, the headers that it needs, and the layers that call it."""

    name: str
    text: str
    includes: tuple[str, ...]
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Call:
    """A layer's call: the function's name and the arguments as C expressions."""

    function: str
    arguments: tuple[str, ...]
    kernel: KernelCall


def render(program: Program) -> Sources:
    """The sources of the model: file name -> text, with the headers of firmware/nn that they include."""
    functions, calls = _functions(program)
    includes = sorted({include for f in functions for include in f.includes})
    context = {"p": program, "functions": functions, "calls": calls, "includes": includes}
    sources = {name: fold(environment().get_template(f"project/{name}.j2").render(context)) for name in MODEL_FILES}
    return {**sources, **_headers(includes)}


def render_app(program: Program, protocol: Spoken = "midge") -> str:
    """app.c: the model as the firmware around it (firmware/main.c) sees it."""
    name = "app" if protocol == "midge" else "app_mlperf_tiny"
    return environment().get_template(f"project/{name}.c.j2").render({"p": program, "id": _benchmark_id(program)})


def _benchmark_id(program: Program) -> str:
    """What MLPerf Tiny calls the network, as far as inputs and outputs tell; else its name."""
    sizes = (sum(port.elements for port in program.inputs), program.outputs[0].elements)
    return _BENCHMARK_IDS.get(sizes, program.name)


def _functions(program: Program) -> tuple[list[Function], list[Call]]:
    names: dict[str, str] = {}
    layers: dict[str, list[str]] = {}
    calls = []
    for call in program.calls:
        text = _kernel_text(call)
        stem = f"{program.prefix}_{call.op}_{call.variant}"
        name = names.setdefault(text, f"{stem}_{sum(n.startswith(stem) for n in names.values())}")
        layers.setdefault(text, []).append(call.layer)
        arguments = tuple(_expression(a) for a in call.arguments)
        calls.append(Call(name, arguments, call))
    functions = [_function(name, text, layers[text]) for text, name in names.items()]
    return functions, calls


_NAME = "@function@"
_INCLUDE = re.compile(r'^ *#include "(\w+\.h)"\n', re.MULTILINE)


def _function(name: str, text: str, layers: Iterable[str]) -> Function:
    """A kernel's text under its name; the headers it includes go to the top of the file."""
    body = indent_blocks(_INCLUDE.sub("", text))
    return Function(name, body.replace(_NAME, name), tuple(_INCLUDE.findall(text)), tuple(layers))


def _headers(names: Iterable[str]) -> dict[str, str]:
    """The headers of firmware/nn with these names and those that they include in turn."""
    found: dict[str, str] = {}
    wanted = list(names)
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = (firmware_dir() / "nn" / name).read_text()
            wanted += _INCLUDE.findall(found[name])
    return dict(sorted(found.items()))


def _kernel_text(call: KernelCall) -> str:
    parameters = ", ".join(f"{_qualifiers(a)}{a.c_type} *{a.name}" for a in call.arguments)
    signature = f"MIDGE_KERNEL void {_NAME}({parameters})"
    template = environment().get_template(call.template)
    return template.render({**call.params, "signature": signature}).strip("\n")


def _qualifiers(argument: Argument) -> str:
    """What stands before the type of a parameter: constants with a symbol lie in flash."""
    if argument.symbol is not None:
        return "const MIDGE_FLASH "
    return "const " if argument.is_const else ""


def _expression(argument: Argument) -> str:
    """A constant's symbol, or a place in the arena: AT is defined in model.c."""
    if argument.symbol is not None:
        return argument.symbol
    return f"AT({'const ' if argument.is_const else ''}{argument.c_type}, {argument.offset})"
