"""`midge doctor`: what this computer has for midge, and what to install for the rest."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil

import click
from rich.table import Table

from midge import __version__
from midge.boards import list_twin_cores, load_core
from midge.build.toolchain import toolchain_report
from midge.cli.options import JSON
from midge.cli.talk import out
from midge.errors import MidgeError
from midge.run.simavr.runner import find_runner

_PACKAGES = {
    "unicorn": 'emulated boards: pip install "midge[emulator]"',
    "capstone": 'cycle models: pip install "midge[emulator]"',
    "ziglang": 'a compiler where there is no other: pip install "midge[emulator]"',
    "tflite-runtime": "the reference kernels that `verify` compares with: pip install tflite-runtime",
    "onnx": 'ONNX models: pip install "midge[onnx]"',
    "keras": 'Keras models: pip install "midge[keras]"',
    "torch": 'PyTorch models: pip install "midge[train]"',
    "platformio": "builds for real boards: pip install platformio",
}
_COMMANDS = {
    "qemu-system-arm": "emulates the Cortex-M55, and checks the other emulator in tests: apt install qemu-system-arm",
    "qemu-system-xtensa": "emulates Xtensa cores: apt install qemu-system-misc",
    "qemu-system-riscv32": "checks the other emulator in tests: apt install qemu-system-misc",
}


@click.command()
@JSON
def command(as_json: bool) -> None:
    """Show compilers, packages and tools, and what a missing one is for."""
    rows = _rows()
    if as_json:
        fields = ("name", "found", "detail")
        print(json.dumps({"midge": __version__, "checks": [dict(zip(fields, row, strict=True)) for row in rows]}))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, found, detail in rows:
        table.add_row("ok" if found else "--", name, detail)
    console = out()
    console.print(f"midge {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    console.print(table)


def _rows() -> list[tuple[str, bool, str]]:
    cores = tuple(load_core(name) for name in list_twin_cores())
    rows = [
        (f"compiler for {purpose}", bool(name), f"{version} {flags}".strip())
        for purpose, name, version, flags in toolchain_report(cores)
    ]
    for package, use in _PACKAGES.items():
        version = _version(package)
        rows.append((package, version is not None, version or use))
    for command_name, use in _COMMANDS.items():
        path = shutil.which(command_name)
        rows.append((command_name, path is not None, path or use))
    return [*rows, _simavr()]


def _simavr() -> tuple[str, bool, str]:
    try:
        return "libsimavr", True, str(find_runner())
    except MidgeError as problem:
        return "libsimavr", False, f"emulates AVR boards: {problem.hint or problem.message}"


def _version(package: str) -> str | None:
    names = (package, "ai-edge-litert") if package == "tflite-runtime" else (package,)
    for name in names:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None
