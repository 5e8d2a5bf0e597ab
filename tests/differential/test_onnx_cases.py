"""ONNX's operator cases against the outputs that the definition gives: in the interpreter and as C."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from differential.draw_tensors import Case
from differential.onnx_cases import load_case
from differential.programs import SANITIZED, WARNINGS, compile_files, run_cases, write_case, write_main
from midge.errors import MidgeError
from midge.importers import Imported
from midge.importers.onnx import import_onnx
from midge.interpreter import interpret
from midge.measure.agreement import agreement
from midge.ops.document import MATCHES
from midge.passes import CANONICALIZE, run_passes
from midge.pipeline import compile_model
from midge.settings import Settings

# How many of the 204 operator cases pass; docs/onnx_cases.md says why the rest do not.
CASES_THAT_PASS = MATCHES["cases"]


def cases(assets: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((assets / "models" / "onnx_node.json").read_text())
    return found


def test_operator_cases_give_the_defined_outputs_or_are_refused_in_words(assets: Path) -> None:
    passed, refused = 0, set()
    for record in cases(assets):
        case = load_case(assets / "models" / "onnx_node" / record["name"], record)
        try:
            graph = import_onnx(case.model, case.name)
        except MidgeError as error:
            assert error.message
            assert error.hint
            refused.add(case.name)
            continue
        for form in (graph, run_passes(graph, CANONICALIZE)):
            found = agreement(interpret(form, case.inputs), case.outputs)
            assert found.mismatches == 0, f"{case.name}: {found}"
        passed += 1
    assert passed >= CASES_THAT_PASS
    page = (Path(__file__).parents[2] / "docs" / "onnx_cases.md").read_text()
    listed = {name for line in page.splitlines() if line.startswith("| ") for name in line.split("|")[2].split(", ")}
    assert refused <= {name.strip() for name in listed}


def test_operator_cases_give_the_defined_outputs_as_c(assets: Path, tmp_path: Path) -> None:
    """All of them, in one program under sanitizers."""
    rendered, wanted, names = [], [], []
    for record in cases(assets):
        case = load_case(assets / "models" / "onnx_node" / record["name"], record)
        try:
            imported = Imported(import_onnx(case.model, f"case{len(names)}"), Path("case.onnx"), "0" * 64, "onnx")
        except MidgeError:
            continue
        compiled = compile_model(imported, Settings(precision="as-is"))
        rendered.append(write_case(Case(compiled.graph, case.inputs), compiled.program, tmp_path))
        wanted.append(case.outputs)
        names.append(case.name)
    write_main(rendered, tmp_path)
    executable = tmp_path / "cases"
    compile_files([*SANITIZED, *WARNINGS, "main.c", "cases.c", "-o", str(executable)], tmp_path)
    found = run_cases(executable, rendered)
    wrong = [name for name, got, want in zip(names, found, wanted, strict=True) if agreement(got, want).mismatches]
    assert wrong == []
    assert len(rendered) >= CASES_THAT_PASS
