"""An ONNX file as a protobuf: whole, of a known version, with names that are text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from midge.errors import UnsupportedModelError
from midge.importers import limits
from midge.importers.flatbuffer import DamagedFile
from midge.importers.names import layer_name
from midge.importers.onnx_values import clean

# What ONNX's own set of operators is called.
DOMAINS = ("", "ai.onnx")
_OLDEST_OPSET = 1
# PyTorch's exporter lists the modules around an operator: "['', 'block', 'block.conv', 'conv2d']".
_SCOPES, _SCOPE = "pkg.torch.onnx.name_scopes", re.compile(r"'([^']*)'")


def parsed(data: bytes) -> Any:
    """The ModelProto in `data`. Raises DamagedFile when that is none, or larger than networks are."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as problem:
        raise DamagedFile("it is no whole protobuf") from problem
    if not model.HasField("graph") or not model.graph.node:
        raise DamagedFile("it has no operators")
    sizes = (len(model.graph.node), len(model.graph.initializer))
    if sizes[0] > limits.MAX_OPS or sizes[1] > limits.MAX_TENSORS:
        raise DamagedFile(f"it has {sizes[0]} operators and {sizes[1]} constants")
    if not all(isinstance(text, str) for text in _texts(model)):
        raise DamagedFile("it has a name that is no text")
    return model


def _texts(model: Any) -> Iterator[Any]:
    """All names that the importer reads; the package gives bytes for those that are not UTF-8."""
    graph = model.graph
    yield from (opset.domain for opset in model.opset_import)
    yield from (proto.name for protos in (graph.initializer, graph.input, graph.output) for proto in protos)
    for proto in graph.initializer:
        yield from (text for entry in proto.external_data for text in (entry.key, entry.value))
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (text for entry in node.metadata_props for text in (entry.key, entry.value))
        for attribute in node.attribute:
            yield from (attribute.name, attribute.t.name)
            yield from (text for entry in attribute.t.external_data for text in (entry.key, entry.value))


def opsets(model: Any, name: str) -> dict[str, int]:
    """The version of each operator set; ONNX's own is the key "" in any spelling."""
    found = {"" if o.domain in DOMAINS else clean(o.domain): int(o.version) for o in model.opset_import}
    version, newest = found.setdefault("", 1), onnx.defs.onnx_opset_version()
    if not _OLDEST_OPSET <= version <= newest:
        raise UnsupportedModelError(
            f"{name} has opset {version}; midge reads {_OLDEST_OPSET} to {newest}",
            hint="pip install --upgrade onnx" if version > newest else "export the model with opset 13 or newer",
        )
    return found


def node_name(node: Any, code: str) -> str:
    """What the file calls the node; what PyTorch's exporter says of the module that it comes from goes before that."""
    scopes = next((e.value for e in node.metadata_props if e.key == _SCOPES), "")
    named = [scope for scope in _SCOPE.findall(scopes[:2000]) if scope]
    if named:
        return layer_name(named[-2] if len(named) > 1 else named[-1], code)
    raw = node.name or (node.output[0] if node.output else "")
    return layer_name(raw[:200], code)
