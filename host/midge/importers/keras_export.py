"""Keras loads a .keras or .h5 file and exports it to ONNX, on PyTorch (KERAS_BACKEND=torch): TensorFlow is not needed.

Runs in the process of midge.importers.framework_worker alone. Files of Keras 2 are rewritten to what Keras 3 reads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import keras

from midge.errors import UnsupportedModelError
from midge.importers.archives import read_archive, write_archive
from midge.importers.flatbuffer import DamagedFile
from midge.importers.keras_config import as_keras_3, read_config, refused_layers
from midge.importers.limits import MAX_CONSTANT_BYTES
from midge.importers.problems import unsupported

FRAMEWORK = "Keras"
HINT = "load it with Keras 3 and save it again as .keras, or export it to ONNX there: model.export(..., format='onnx')"
_WEIGHTS = "model.weights.h5"
_MOST_OBJECTS = 100_000


def export_file(source: Path, target: Path, name: str) -> None:
    """Write the model in `source` to `target` as ONNX, with a batch of 1.

    Raises DamagedFile, UnsupportedModelError, and whatever Keras raises.
    """
    with source.open("rb") as file:
        is_zip = file.read(2) == b"PK"
    loadable = source.with_suffix(".keras" if is_zip else ".h5")
    if is_zip:
        _clean_archive(source, loadable, name)
    else:
        _clean_hdf5(source, loadable, name)
    model = keras.saving.load_model(loadable, compile=False, safe_mode=True)
    specs = [_spec(tensor, name) for tensor in model.inputs]
    signature: list[Any] = specs if len(specs) == 1 else [specs]
    model.export(str(target), format="onnx", input_signature=signature, verbose=False)


def _spec(tensor: Any, name: str) -> Any:
    shape = (1, *tensor.shape[1:])
    if any(n is None for n in shape):
        raise UnsupportedModelError(
            f"{name}: its input {tensor.name} has the shape {list(tensor.shape)}, not known but for the batch",
            hint="build the model with a fixed input shape and save it again",
        )
    return keras.InputSpec(shape=shape, dtype=tensor.dtype, name=tensor.name)


def _clean_archive(source: Path, target: Path, name: str) -> None:
    """The .keras file with nothing in it but configuration and weights."""
    members = read_archive(source.read_bytes())
    if "config.json" not in members or _WEIGHTS not in members:
        raise DamagedFile("it has no config.json or no model.weights.h5")
    weights = target.with_name(_WEIGHTS)
    weights.write_bytes(members[_WEIGHTS])
    _check_file(weights)
    config = json.dumps(_checked(read_config(members["config.json"]), name)).encode()
    kept = {"config.json": config, "metadata.json": members.get("metadata.json", b"{}"), _WEIGHTS: members[_WEIGHTS]}
    target.write_bytes(write_archive(kept))


def _clean_hdf5(source: Path, target: Path, name: str) -> None:
    """The .h5 file with the configuration that Keras 3 reads."""
    target.write_bytes(source.read_bytes())
    try:
        with h5py.File(target, "r+") as file:
            _check_hdf5(file)
            text = file.attrs.get("model_config")
            if text is None:
                raise UnsupportedModelError(
                    f"{name} holds weights without the network they belong to",
                    hint="save the whole model: model.save('model.keras')",
                )
            file.attrs["model_config"] = json.dumps(_checked(read_config(text), name))
    except OSError as problem:
        raise DamagedFile(f"it is no whole HDF5 file: {problem}") from problem


def _checked(config: dict[str, Any], name: str) -> Any:
    if problems := refused_layers(config):
        raise unsupported(name, problems, ())
    return as_keras_3(config)


def _check_file(path: Path) -> None:
    try:
        with h5py.File(path) as file:
            _check_hdf5(file)
    except OSError as problem:
        raise DamagedFile(f"its weights are no whole HDF5 file: {problem}") from problem


def _check_hdf5(file: Any) -> None:
    """Raises DamagedFile where the file reaches into other files, or holds more than midge reads."""
    groups, seen, size = [file], 0, 0
    while groups:
        group = groups.pop()
        for key in group:
            seen += 1
            if seen > _MOST_OBJECTS:
                raise DamagedFile(f"it has more than {_MOST_OBJECTS} objects")
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise DamagedFile(f"its object {key[:80]!r} is a link to elsewhere")
            item = group[key]
            if isinstance(item, h5py.Group):
                groups.append(item)
                continue
            if item.external or item.is_virtual:
                raise DamagedFile(f"its array {key[:80]!r} lies in another file")
            size += item.nbytes
            if size > MAX_CONSTANT_BYTES:
                raise DamagedFile(f"its arrays have more than {MAX_CONSTANT_BYTES} bytes")
