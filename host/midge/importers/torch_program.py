"""Makes a PyTorch exported program (.pt2) safe to load: what torch.export.load would unpickle or evaluate is not in it.

Such a file is a zip archive: a graph as JSON, weights as plain bytes, and pickled example inputs. torch.export.load
looks up whatever the JSON names, evaluates sizes and guards as Python, and unpickles. What comes out of here names only
PyTorch's own operators, has sizes that are plain arithmetic and holds no pickle; torch.export.load is given that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from midge.importers.archives import read_archive, write_archive
from midge.importers.flatbuffer import DamagedFile
from midge.importers.limits import MAX_ELEMENTS, MAX_OPS
from midge.importers.names import layer_name
from midge.importers.problems import Problem
from midge.ops.formats import UnsupportedOp

_GRAPH, _SAMPLES = "models/model.json", "data/sample_inputs/model.pt"
_CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
_PLAIN = ("archive_format", "archive_version", "byteorder", ".data/version")
_MOST_DEPTH = 60
_OPERATOR = re.compile(r"torch\.ops\.(aten|prims|quantized_decomposed)\.[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?\Z")
_SIZES = frozenset(["_operator.getitem", "_operator.add", "_operator.sub", "_operator.mul", "_operator.floordiv"])
# A size as PyTorch writes it: "Mul(Integer(2), Symbol('s77', positive=True, integer=True))".
_SIZE = re.compile(
    r"'[a-z]{1,2}\d{1,9}'|(Symbol|Integer|Add|Mul|FloorDiv|Mod|Min|Max|CeilToInt|positive|nonnegative|integer|True)\b"
    r"|[-+*/(), =]|\d{1,12}"
)
_SAVE_AGAIN = "save the program again with torch.export.save of PyTorch 2.9 or newer, or call midge.import_torch"
_KEPT_METADATA = "nn_module_stack"


def safe_program(data: bytes) -> tuple[bytes, list[Problem]]:
    """The archive without all that could run code, and the operators in it that are not PyTorch's own.

    Raises DamagedFile when the file contradicts itself, UnsupportedOp when it is of an older format or needs pickle.
    """
    members = _without_root(read_archive(data))
    try:
        return _safe(members)
    except (AttributeError, KeyError, TypeError) as problem:
        raise DamagedFile(f"a description in it has another form than PyTorch's: {problem}") from problem


def _safe(members: Mapping[str, bytes]) -> tuple[bytes, list[Problem]]:
    if _GRAPH not in members or not all(name in members for name in _CONFIGS):
        raise UnsupportedOp("an exported program in the format of an older PyTorch", _SAVE_AGAIN)
    program = _json(members[_GRAPH])
    configs = {name: _json(members[name]) for name in _CONFIGS}
    _check_sizes((program, *configs.values()))
    safe = {f"model/{name}": members[name] for name in _PLAIN if name in members}
    for name, config in configs.items():
        folder = name.rpartition("/")[0]
        safe[f"model/{name}"] = members[name]
        safe |= {f"model/{folder}/{path}": members[f"{folder}/{path}"] for path in _payloads(config, folder, members)}
    nodes = _nodes(program)
    problems = [problem for node in nodes if (problem := _foreign(node)) is not None]
    for node in nodes:
        kept = node.get("metadata", {}).get(_KEPT_METADATA)
        node["metadata"] = {_KEPT_METADATA: kept} if isinstance(kept, str) else {}
    program["guards_code"] = []
    # Example inputs are pickled; the program does not need them.
    safe |= {f"model/{_GRAPH}": json.dumps(program).encode(), f"model/{_SAMPLES}": b""}
    return write_archive(safe), problems


def _without_root(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """The members by their paths below the one folder that the archive has."""
    if len({name.partition("/")[0] for name in members}) != 1:
        raise DamagedFile("its members do not lie in one folder")
    return {name.partition("/")[2]: content for name, content in members.items()}


def _json(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise DamagedFile(f"a description in it is no JSON: {problem}") from problem
    if not isinstance(found, dict):
        raise DamagedFile("a description in it is no JSON object")
    return found


def _payloads(config: Mapping[str, Any], folder: str, members: Mapping[str, bytes]) -> Iterator[str]:
    """The files that hold the weights or constants of `config`, which must be plain bytes."""
    entries = config.get("config")
    if not isinstance(entries, dict):
        raise DamagedFile("its weights have no configuration")
    for entry in entries.values():
        path = entry.get("path_name") if isinstance(entry, dict) else None
        if not isinstance(path, str) or f"{folder}/{path}" not in members:
            raise DamagedFile("a weight has no data")
        if entry.get("use_pickle") or not re.fullmatch(r"(weight|tensor)_\d+", path):
            raise UnsupportedOp("a weight or constant that is pickled, which midge does not unpickle", _SAVE_AGAIN)
        sizes = [size.get("as_int", 0) for size in entry.get("tensor_meta", {}).get("sizes", [])]
        if not all(isinstance(n, int) and n >= 0 for n in sizes) or prod(sizes) > MAX_ELEMENTS:
            raise DamagedFile(f"a weight has the shape {sizes[:10]}")
        yield path


def _nodes(program: Mapping[str, Any]) -> list[dict[str, Any]]:
    try:
        nodes = program["graph_module"]["graph"]["nodes"]
    except (KeyError, TypeError) as problem:
        raise DamagedFile("it has no graph") from problem
    if not isinstance(nodes, list) or not nodes or len(nodes) > MAX_OPS:
        raise DamagedFile("it has no operators, or more than any network")
    if not all(
        isinstance(n, dict) and isinstance(n.get("target"), str) and isinstance(n.get("metadata", {}), dict)
        for n in nodes
    ):
        raise DamagedFile("an operator has no name")
    return nodes


def _foreign(node: Mapping[str, Any]) -> Problem | None:
    """What is wrong with an operator that is not PyTorch's own."""
    target = str(node["target"])
    if _OPERATOR.match(target) or target in _SIZES:
        return None
    code = "".join(c if c.isprintable() else "?" for c in target[:60])
    name = layer_name(str(node.get("name") or code), code)
    return Problem(
        name, code, "it is no operator of PyTorch itself (torch.ops.aten)", "replace it by PyTorch's own operators"
    )


def _check_sizes(values: tuple[Any, ...]) -> None:
    """Sizes given as expressions are arithmetic on symbols, and no object is of a kind that is imported by name."""
    stack: list[tuple[Any, int]] = [(value, 0) for value in values]
    while stack:
        value, depth = stack.pop()
        if depth > _MOST_DEPTH:
            raise DamagedFile("its description is nested without end")
        if isinstance(value, str) and "__enum__" in value:
            raise UnsupportedOp("inputs or outputs that are enumerations", "export the model with tensors alone")
        if isinstance(value, list):
            stack += ((inner, depth + 1) for inner in value)
        if isinstance(value, dict):
            expression = value.get("expr_str")
            if expression is not None and not (isinstance(expression, str) and _is_arithmetic(expression)):
                raise UnsupportedOp("a size that is no plain arithmetic", "export the model with fixed shapes")
            stack += ((inner, depth + 1) for inner in value.values())


def _is_arithmetic(text: str) -> bool:
    return len(text) < 200 and "**" not in text and not _SIZE.sub("", text)
