"""Compiles drawn cases into one program per operator, and runs it: the generated C as it is, under sanitizers."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import numpy as np

from differential.draw import Case, mismatches
from midge.boards import Core, load_core
from midge.ir.tensor import Array
from midge.kernels.select import kinds, layer_of, select, variants
from midge.kernels.variant import Variant
from midge.lower.bind import bind
from midge.lower.program import Program
from midge.memory.lifetimes import lifetimes
from midge.memory.planner import plan_memory
from midge.render.sources import render

WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Werror")
# Unoptimized: nothing undefined is optimized away before the sanitizers see it; compiling takes an eighth of the time.
SANITIZED = ("gcc", "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
SECONDS = 300


@dataclass(frozen=True, eq=False)
class Rendered:
    """A case with its program, its sources in `folder`."""

    case: Case
    program: Program
    folder: Path


@cache
def every_feature() -> Core:
    """A core that any variant may be selected for; the host compiles their portable fallbacks."""
    needed = {feature for kind in kinds() for v in variants(kind) for feature in v.needs}
    core = load_core("cortex-m4f")
    return msgspec.structs.replace(core, name="host", features=tuple(sorted({*core.features, *needed})))


def program_of(case: Case, variant: Variant) -> Program:
    """The case compiled with that variant, its memory planned: output over input where the variant allows it."""
    selection = select(case.graph, every_feature(), overrides={variant.op: variant.name})
    assert selection.variants == (variant,)
    alive = lifetimes(selection)
    return bind(selection, alive, plan_memory(alive.buffers, alive.overlaps, alive.states))


def render_cases(cases: Sequence[Case], variant: Variant, folder: Path) -> list[Rendered]:
    """The sources of all cases that fit, each in a folder of its own, and `cases.c`, which includes them all."""
    fitting = [case for case in cases if variant.fits(layer_of(case.graph, 0))]
    rendered = [write_case(case, program_of(case, variant), folder) for case in fitting]
    write_main(rendered, folder)
    return rendered


def write_case(case: Case, program: Program, folder: Path, sources: Mapping[str, str] | None = None) -> Rendered:
    """The sources of one case, rendered where they are not given, in a folder of its own below `folder`."""
    item = Rendered(case, program, folder / case.graph.name)
    item.folder.mkdir(parents=True)
    for name, text in (sources or render(item.program)).items():
        (item.folder / name).write_text(text)
    return item


def write_main(rendered: Sequence[Rendered], folder: Path) -> None:
    """What joins the cases to one program: `cases.c`, `headers.cpp` and `main.c`."""
    files = [f'#include "{item.folder.name}/{name}"\n' for item in rendered for name in ("model.c", "weights.c")]
    # Each model.c defines AT for its own arena; here they all are one file.
    (folder / "cases.c").write_text("#undef AT\n".join(files))
    (folder / "headers.cpp").write_text("".join(f'#include "{item.folder.name}/model.h"\n' for item in rendered))
    (folder / "main.c").write_text(_main(rendered))


def compile_files(command: Sequence[str], folder: Path) -> None:
    """Run a compiler in `folder`; its messages are the failure's."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr[:4000]}"


def run_cases(executable: Path, rendered: Sequence[Rendered]) -> list[list[Array]]:
    """The outputs of each case, from one run of the program."""
    given = b"".join(value.tobytes() for item in rendered for value in item.case.inputs)
    done = subprocess.run([executable], input=given, capture_output=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[:4000]
    results, at = [], 0
    for item in rendered:
        ports = item.program.outputs
        ends = [at := at + port.bytes for port in ports]
        results.append(
            [
                np.frombuffer(done.stdout[end - port.bytes : end], port.dtype.numpy).reshape(port.shape)
                for port, end in zip(ports, ends, strict=True)
            ]
        )
    assert at == len(done.stdout)
    return results


def differences(rendered: Sequence[Rendered], outputs: Sequence[Sequence[Array]]) -> dict[str, str]:
    """Which cases gave other outputs than the interpreter, and by how much: empty when all are equal."""
    wrong = {}
    for item, found in zip(rendered, outputs, strict=True):
        for value, expected in zip(found, item.case.evaluate(), strict=True):
            if count := mismatches(value, expected):
                wrong[item.case.graph.name] = f"{count} of {value.size} values: {item.case.op}"
    return wrong


def run_on_host(rendered: Sequence[Rendered], folder: Path) -> list[list[Array]]:
    """The outputs of each case in `folder` from portable C under sanitizers."""
    compile_files([*SANITIZED, *WARNINGS, "main.c", "cases.c", "-o", str(folder / "run")], folder)
    return run_cases(folder / "run", rendered)


def _main(rendered: Sequence[Rendered]) -> str:
    """Reads all inputs, runs each case in an arena full of rubbish, writes all outputs."""
    lines = ["#include <stdio.h>", "#include <string.h>"]
    lines += [f'#include "{item.folder.name}/model.h"' for item in rendered]
    lines += ["int main(void) {"]
    for item in rendered:
        p = item.program
        lines += [f"memset({p.prefix}_arena, 0xA5, sizeof {p.prefix}_arena);"]
        for port in p.inputs:
            lines += [f"if (fread({p.prefix}_{port.symbol}(), 1, {port.bytes}, stdin) != {port.bytes}) return 1;"]
        lines += [f"{p.prefix}_reset();"] if p.states else []
        lines += [f"{p.prefix}_run();"]
        lines += [f"fwrite({p.prefix}_{port.symbol}(), 1, {port.bytes}, stdout);" for port in p.outputs]
    return "\n".join([*lines, "return 0;", "}", ""])
