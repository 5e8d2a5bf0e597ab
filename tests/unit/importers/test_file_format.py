"""Files that are no model midge reads are called what they are, with what to do about it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from midge.errors import ModelFileError
from midge.importers import import_model
from midge.importers.file_format import is_keras, is_onnx, is_tflite, is_torch_program


def archive(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as writer:
        for name in names:
            writer.writestr(name, "content")
    return content.getvalue()


def arrays() -> bytes:
    content = io.BytesIO()
    np.savez(content, x=np.zeros(3))
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "looks_like", "hint"),
    [
        (b"", "an empty file", "export"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer", "git lfs pull"),
        (archive("metadata.json", "config.json", "model.weights.h5")[:-9], "Keras model \\(.keras\\)", "damaged"),
        (archive("archive/data.pkl", "archive/version"), "pickled PyTorch", "torch.export.save"),
        (archive("net.tflite"), "zip archive", "unpack"),
        (arrays(), "NumPy .npz", "--data"),
        (b"\x1f\x8b\x08\x00" + bytes(20), "compressed archive", "unpack"),
        (b"\x80\x02}q\x00.", "pickle", "torch.export.save"),
        (b"\x08\x01\x12\x10saved", "SavedModel", "convert"),
        (b"<!DOCTYPE html><html></html>", "web page", "raw file"),
        (b"#include <stdint.h>\nconst unsigned char net[] = {0x1c};\n", "C source", "array"),
        (b"hello, I am no model\n", "a text file", "itself"),
        (bytes(range(128, 256)), "nor any format", "TFL3"),
    ],
)
def test_another_format_is_named_with_what_to_do(tmp_path: Path, content: bytes, looks_like: str, hint: str) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=looks_like) as caught:
        import_model(path)
    assert hint in caught.value.hint


def test_formats_are_told_by_content() -> None:
    keras, program = archive("config.json", "metadata.json"), archive("net/archive_format", "net/models/model.json")
    contents = (b"\x89HDF\r\n\x1a\n", keras, program, b"\x08\x09\x12\x07pytorch", b"\x1c\x00\x00\x00TFL3")
    tests = (is_keras, is_keras, is_torch_program, is_onnx, is_tflite)
    for content, test in zip(contents, tests, strict=True):
        assert [other for other in dict.fromkeys(tests) if other(content)] == [test]


def test_real_keras_files_are_known(assets: Path) -> None:
    files = [path for path in (assets / "models/keras").iterdir() if path.suffix in (".h5", ".keras")]
    assert len(files) == 8
    assert all(is_keras(path.read_bytes()) for path in files)


def test_a_missing_file_and_a_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="there is no file"):
        import_model(tmp_path / "none.tflite")
    with pytest.raises(ModelFileError, match="is a folder"):
        import_model(tmp_path)


def test_a_device_is_not_read_forever() -> None:
    with pytest.raises(ModelFileError, match="not a regular file"):
        import_model(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("name", "looks_like"),
    [
        ("models/tflm/hello_world_int8.npz", "NumPy"),
        ("models/models.json", "text"),
    ],
)
def test_real_files_of_other_formats_are_told_apart(asset: Callable[[str], Path], name: str, looks_like: str) -> None:
    with pytest.raises(ModelFileError, match=looks_like):
        import_model(asset(name))
