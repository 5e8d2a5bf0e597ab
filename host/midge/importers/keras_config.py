"""A Keras model's configuration (the JSON in a .keras or .h5 file): what must not be in it, and what Keras 2 wrote.

Keras builds whatever the configuration names. Only its own layers may be named, and none that carries Python code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from midge.importers.flatbuffer import DamagedFile
from midge.importers.names import layer_name
from midge.importers.problems import Problem

_MOST_DEPTH = 100
_OWN_CODE = "its code is not in the file, only its name"
_EXPORT = "build it from Keras's own layers, or export the model to ONNX where its code is at hand (model.export)"
# Layers that hold Python code, and those that load a model of another kind.
_CODE_LAYERS = {
    "Lambda": "it holds Python code, which midge does not run",
    "TorchModuleWrapper": "it holds a pickled PyTorch module, which midge does not unpickle",
    "TFSMLayer": "it reads a TensorFlow SavedModel from elsewhere",
    "JaxLayer": "it calls a Python function",
    "FlaxLayer": "it calls a Python function",
}
# Where Keras 3 has what Keras 2 called otherwise.
_MOVED = {
    "functional": "keras.src.models.functional",
    "sequential": "keras.src.models.sequential",
    "training": "keras.src.models.model",
}
# Options that Keras 2 wrote and Keras 3 refuses, by class.
_DROPPED = {
    "DepthwiseConv1D": ("groups",),
    "DepthwiseConv2D": ("groups",),
    "SeparableConv1D": ("groups",),
    "SeparableConv2D": ("groups",),
    "Conv1DTranspose": ("groups",),
    "Conv2DTranspose": ("groups",),
    "GRU": ("implementation", "time_major"),
    "LSTM": ("implementation", "time_major"),
    "SimpleRNN": ("time_major",),
}


def read_config(text: bytes | str) -> dict[str, Any]:
    """The configuration. Raises DamagedFile when it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise DamagedFile(f"its configuration is no JSON: {problem}") from problem
    if not isinstance(found, dict) or not isinstance(found.get("class_name"), str):
        raise DamagedFile("its configuration names no model")
    for _ in _walk(found, _MOST_DEPTH):
        pass
    return found


def refused_layers(config: dict[str, Any]) -> list[Problem]:
    """Every object of the configuration that is not Keras's own, or that carries code."""
    problems = []
    for item in _walk(config, _MOST_DEPTH):
        code, module = item.get("class_name"), item.get("module")
        if not isinstance(code, str):
            continue
        options = item.get("config")
        raw = options.get("name") if isinstance(options, dict) else None
        name = layer_name(raw if isinstance(raw, str) else code, code)
        short = code.rpartition(">")[2]
        registered = item.get("registered_name")
        own = isinstance(module, str) and (module == "builtins" or module.split(".")[0] == "keras")
        if short in _CODE_LAYERS or code == "__lambda__":
            problems.append(Problem(name, short, _CODE_LAYERS.get(short, _CODE_LAYERS["Lambda"]), _EXPORT))
        elif ">" in code or (isinstance(registered, str) and ">" in registered) or (module is not None and not own):
            problems.append(Problem(name, short, f"it is no layer of Keras: {_OWN_CODE}", _EXPORT))
    return problems


def as_keras_3(value: Any) -> Any:
    """The configuration as Keras 3 writes it; one of Keras 3 stays as it is."""
    if isinstance(value, list):
        return [as_keras_3(item) for item in value]
    if not isinstance(value, dict):
        return value
    item = {key: as_keras_3(inner) for key, inner in value.items()}
    code, options, module = item.get("class_name"), item.get("config"), item.get("module")
    if isinstance(module, str) and module.startswith("keras.src.engine."):
        item["module"] = _MOVED.get(module.rpartition(".")[2], "keras")
    if isinstance(code, str) and isinstance(options, dict):
        for option in _DROPPED.get(code, ()):
            options.pop(option, None)
        axis = options.get("axis")
        if code == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
            options["axis"] = axis[0]
    return item


def _walk(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    """Every object in the configuration. Raises DamagedFile for one that is nested without end."""
    if depth == 0:
        raise DamagedFile(f"its configuration is nested more than {_MOST_DEPTH} deep")
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _walk(inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner, depth - 1)
