"""render: the Program as C files. Layers whose functions are equal share one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from midge.lower.program import Argument, KernelCall, Program
from midge.render.environment import environment
from midge.resources import firmware_dir

# The C files of a model: file name -> text.
Sources = Mapping[str, str]

MODEL_FILES = ("model.h", "model.c", "weights.h", "weights.c")


@dataclass(frozen=True)
class Function:
    """A C function and the layers that call it."""

    name: str
    text: str
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Call:
    """A layer's call: the function's name and the arguments as C expressions."""

    function: str
    arguments: tuple[str, ...]
    kernel: KernelCall


def render(program: Program) -> Sources:
    """The sources of the model: file name -> text. They need nothing else than `midge_nn.h`, which is among them."""
    functions, calls = _functions(program)
    context = {"p": program, "functions": functions, "calls": calls}
    sources = {name: environment().get_template(f"project/{name}.j2").render(context) for name in MODEL_FILES}
    sources["midge_nn.h"] = (firmware_dir() / "nn" / "midge_nn.h").read_text()
    return sources


def render_app(program: Program) -> str:
    """app.c: the model as the measuring firmware (firmware/main.c) sees it."""
    return environment().get_template("project/app.c.j2").render({"p": program})


def _functions(program: Program) -> tuple[list[Function], list[Call]]:
    names: dict[str, str] = {}
    layers: dict[str, list[str]] = {}
    calls = []
    for call in program.calls:
        text = _kernel_text(call)
        stem = f"{program.prefix}_{call.op}_{call.variant}"
        name = names.setdefault(text, f"{stem}_{sum(n.startswith(stem) for n in names.values())}")
        layers.setdefault(text, []).append(call.layer)
        arguments = tuple(_expression(a, program) for a in call.arguments)
        calls.append(Call(name, arguments, call))
    functions = [Function(name, text.replace(_NAME, name), tuple(layers[text])) for text, name in names.items()]
    return functions, calls


_NAME = "@function@"


def _kernel_text(call: KernelCall) -> str:
    parameters = ", ".join(f"{'const ' if a.is_const else ''}{a.c_type} *{a.name}" for a in call.arguments)
    signature = f"MIDGE_KERNEL void {_NAME}({parameters})"
    template = environment().get_template(call.template)
    return template.render({**call.params, "signature": signature}).strip("\n")


def _expression(argument: Argument, program: Program) -> str:
    if argument.symbol is not None:
        return argument.symbol
    const = "const " if argument.is_const else ""
    return f"({const}{argument.c_type} *)(void *)({program.prefix}_arena + {argument.offset})"
