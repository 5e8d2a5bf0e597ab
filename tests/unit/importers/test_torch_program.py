"""Exported programs of PyTorch: nothing reaches torch.export.load that it would unpickle, evaluate or look up."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from midge.importers.archives import read_archive, write_archive
from midge.importers.file_format import is_torch_program
from midge.importers.flatbuffer import DamagedFile
from midge.importers.torch_program import safe_program
from midge.ops.formats import UnsupportedOp

WEIGHTS, CONSTANTS = "data/weights/model_weights_config.json", "data/constants/model_constants_config.json"
GRAPH = "models/model.json"


def program() -> dict[str, Any]:
    weight = {"path_name": "weight_0", "use_pickle": False, "tensor_meta": {"sizes": [{"as_int": 2}]}}
    node = {"target": "torch.ops.aten.relu.default", "name": "relu", "metadata": {"nn_module_stack": "L__self__"}}
    return {
        GRAPH: {"graph_module": {"graph": {"nodes": [node]}}, "guards_code": ["__import__('os').system('true')"]},
        WEIGHTS: {"config": {"w": weight}},
        CONSTANTS: {"config": {}},
        "data/weights/weight_0": bytes(8),
        "data/sample_inputs/model.pt": b"\x80\x02cos\nsystem\n",
        "data/extra/payload.so": b"ELF",
        "archive_format": b"pt2",
        "archive_version": b"0",
    }


def archive(members: dict[str, Any]) -> bytes:
    return write_archive(
        {f"net/{n}": v if isinstance(v, bytes) else json.dumps(v).encode() for n, v in members.items()}
    )


def test_what_could_run_code_is_left_out() -> None:
    assert is_torch_program(archive(program()))
    safe, problems = safe_program(archive(program()))
    members = read_archive(safe)
    assert problems == []
    assert members["model/data/sample_inputs/model.pt"] == b""
    assert json.loads(members[f"model/{GRAPH}"])["guards_code"] == []
    assert members["model/data/weights/weight_0"] == bytes(8)
    assert not any("extra" in name for name in members)


def changed(change: Callable[[dict[str, Any]], Any]) -> bytes:
    members = program()
    change(members)
    return archive(members)


def node(members: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = members[GRAPH]["graph_module"]["graph"]["nodes"][0]
    return found


@pytest.mark.parametrize(
    "target",
    [
        "torch.os.system",
        "torch.ops.load_library",
        "torch.ops.aten.relu.__class__.__mro__",
        "torch.ops.mine.op.default",
        "torch.load",
        "math.sqrt",
        "_operator.call",
        "#mine:op",
        "anything",
    ],
)
def test_an_operator_that_is_not_pytorchs_own_is_a_problem_with_its_name(target: str) -> None:
    _, problems = safe_program(changed(lambda m: node(m).update(target=target)))
    assert [(p.layer, p.code) for p in problems] == [("relu", target)]


@pytest.mark.parametrize(
    "size",
    ["__import__('os')", "s0.__class__", "2**99999", "Symbol('s1').func", "lambda: 0", "exec('')", 3],
)
def test_a_size_that_is_no_arithmetic_is_refused(size: object) -> None:
    with pytest.raises(UnsupportedOp, match="arithmetic"):
        safe_program(changed(lambda m: node(m).update(inputs=[{"as_int": {"as_expr": {"expr_str": size}}}])))


def test_sizes_as_pytorch_writes_them_are_kept() -> None:
    size = "Mul(Integer(2), Symbol('s77', positive=True, integer=True))"
    safe_program(changed(lambda m: node(m).update(inputs=[{"expr_str": size}])))


def test_a_pickled_weight_is_refused() -> None:
    def pickled(members: dict[str, Any]) -> None:
        members[WEIGHTS]["config"]["w"]["use_pickle"] = True

    def opaque(members: dict[str, Any]) -> None:
        members["data/constants/opaque_obj_0"] = b"\x80\x02."
        members[CONSTANTS]["config"]["c"] = {"path_name": "opaque_obj_0", "use_pickle": False}

    for change in (pickled, opaque):
        with pytest.raises(UnsupportedOp, match="pickle"):
            safe_program(changed(change))


def test_kinds_that_are_imported_by_name_are_refused() -> None:
    with pytest.raises(UnsupportedOp, match="enumerations"):
        safe_program(changed(lambda m: node(m).update(inputs=['[1, {"__enum__": true, "fqn": "os:x"}]'])))


def test_an_older_format_is_refused_with_what_to_do() -> None:
    with pytest.raises(UnsupportedOp, match="older") as caught:
        safe_program(changed(lambda m: m.pop(GRAPH)))
    assert "torch.export.save" in caught.value.remedy


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.pop("data/weights/weight_0"),
        lambda m: m.update({GRAPH: b"{"}),
        lambda m: m.update({GRAPH: []}),
        lambda m: m.update({GRAPH: {"graph_module": 3}}),
        lambda m: m[GRAPH]["graph_module"]["graph"].update(nodes=[]),
        lambda m: m[GRAPH]["graph_module"]["graph"].update(nodes=[{"target": 3}]),
        lambda m: m.update({WEIGHTS: {"config": [1]}}),
        lambda m: m[WEIGHTS]["config"].update(w=3),
        lambda m: m[WEIGHTS]["config"]["w"].update(tensor_meta=None),
        lambda m: m[WEIGHTS]["config"]["w"]["tensor_meta"].update(sizes=[{"as_int": 1 << 40}]),
    ],
)
def test_a_file_that_contradicts_itself_is_damage(change: Callable[[dict[str, Any]], Any]) -> None:
    with pytest.raises(DamagedFile):
        safe_program(changed(change))


def test_members_in_two_folders_are_damage() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as writer:
        writer.writestr("a/archive_format", "pt2")
        writer.writestr("b/archive_format", "pt2")
    with pytest.raises(DamagedFile, match="one folder"):
        safe_program(content.getvalue())
