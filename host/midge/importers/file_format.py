"""Tells a model file's format by its content, and names what a file is that is not a model midge reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from midge.errors import ModelFileError
from midge.importers.archives import member_names

TFLITE_IDENTIFIER = b"TFL3"
_CONVERT = "convert it to TensorFlow Lite (.tflite) or ONNX (.onnx) first"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ARCHIVE_AGAIN = "the archive is damaged or not whole: copy or save the file again"
_EXPORT_PROGRAM = (
    "save an exported program instead, which holds no code: "
    "torch.export.save(torch.export.export(model.eval(), (example,)), 'model.pt2'); or call midge.import_torch"
)
_COPY_AGAIN = "download or copy the file again; a whole .tflite file has the letters TFL3 at byte 4"


@dataclass(frozen=True)
class _Look:
    """A format that midge does not read: how to tell it, what to call it and what the user can do."""

    matches: Callable[[bytes], bool]
    name: str
    hint: str


def is_tflite(data: bytes) -> bool:
    """Whether `data` claims to be a TensorFlow Lite model."""
    return data[4:8] == TFLITE_IDENTIFIER


def is_onnx(data: bytes) -> bool:
    """Whether `data` looks like an ONNX model.

    That is a protobuf whose first field is a small ir_version, followed by a string (who made it), a graph or an opset.
    """
    return len(data) > 3 and data[0] == 0x08 and 3 <= data[1] < 32 and data[2] in (0x12, 0x1A, 0x22, 0x3A, 0x42)


def is_keras(data: bytes) -> bool:
    """Whether `data` is a Keras model, .keras (a zip archive) or .h5 (HDF5; whether it holds a model shows later)."""
    return data.startswith(_HDF5) or (_is_zip(data) and {"config.json", "metadata.json"} <= set(member_names(data)))


def is_torch_program(data: bytes) -> bool:
    """Whether `data` is a PyTorch exported program (.pt2), of this format or an older one."""
    if not _is_zip(data):
        return False
    names = {name.partition("/")[2] or name for name in member_names(data)}
    return "archive_format" in names or "serialized_exported_program.json" in names


def _is_zip(data: bytes) -> bool:
    return data.startswith(b"PK\x03\x04")


def unknown_format(data: bytes, name: str) -> ModelFileError:
    """The error for a file that is no model midge reads: says what it looks like instead and what to do."""
    look = next((look for look in _LOOKS if look.matches(data)), None)
    if look is None:
        return ModelFileError(
            f"{name} is no TensorFlow Lite, ONNX, Keras or PyTorch model, nor any format that midge knows",
            hint=_COPY_AGAIN,
        )
    return ModelFileError(f"{name} is no model that midge reads: it looks like {look.name}", hint=look.hint)


def _starts(*prefixes: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(prefixes)


def _zip_with(*members: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(b"PK\x03\x04") and any(m in data[:4096] + data[-65536:] for m in members)


def _is_text(data: bytes) -> bool:
    head = data[:512]
    return all(byte in b"\t\n\r\f" or 32 <= byte < 127 for byte in head)


def _is_c_array(data: bytes) -> bool:
    return _is_text(data) and any(word in data[:4096] for word in (b"unsigned char", b"uint8_t", b"#include"))


# In order: the first that matches names the file.
_LOOKS = (
    _Look(lambda data: not data, "an empty file", "export the model again: the file has no content"),
    _Look(
        _starts(b"version https://git-lfs.github.com/spec"),
        "a Git LFS pointer, not the model itself",
        "run `git lfs pull` in the repository it came from",
    ),
    _Look(_zip_with(b"model.weights.h5", b"config.json"), "a Keras model (.keras)", _ARCHIVE_AGAIN),
    _Look(_zip_with(b"data.pkl", b"constants.pkl"), "a pickled PyTorch model", _EXPORT_PROGRAM),
    _Look(_zip_with(b".npy"), "a NumPy .npz data file", "give the model first; data files go with --data or --golden"),
    _Look(_starts(b"PK\x03\x04"), "a zip archive", "unpack it and give the model file inside"),
    _Look(
        _starts(b"\x1f\x8b", b"BZh", b"\xfd7zXZ"), "a compressed archive", "unpack it and give the model file inside"
    ),
    _Look(
        lambda data: data[4:8] in (b"TFL1", b"TFL2"),
        "a TensorFlow Lite model of an older schema version than 3, which its runtime refuses too",
        "convert the model again from its source, with TensorFlow Lite's converter",
    ),
    _Look(_starts(b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), "a Python pickle (PyTorch?)", _EXPORT_PROGRAM),
    _Look(_starts(b"\x93NUMPY"), "a NumPy .npy array", "give the model first; data files go with --data or --golden"),
    _Look(_starts(b"\x08\x01\x12", b"\x0a"), "a TensorFlow SavedModel or frozen graph", _CONVERT),
    _Look(
        lambda data: data.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")),
        "a web page",
        "download the raw file instead of the page that shows it",
    ),
    _Look(_is_c_array, "C source (a model as an array?)", "give the model file that the array was made from"),
    _Look(_is_text, "a text file", "give the model file itself"),
)
