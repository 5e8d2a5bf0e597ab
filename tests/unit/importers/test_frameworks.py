"""Models that only Keras and PyTorch can read, exported by them in a process that trusts nothing in the file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import midge
from midge.errors import MissingExtraError, ModelFileError, UnsupportedModelError
from midge.importers import framework, import_model
from midge.importers.archives import write_archive
from midge.importers.framework import FrameworkFile, export_to_onnx
from midge.interpreter import interpret
from midge.passes import CANONICALIZE, run_passes

LAMBDA = {
    "class_name": "Sequential",
    "config": {"name": "net", "layers": [{"class_name": "Lambda", "config": {"name": "mine", "function": ["4wEA"]}}]},
}


def network() -> Any:
    torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "midge[train]"')
    nn = torch.nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8)
            self.part = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Hardswish(), nn.MaxPool2d(2))
            self.drop, self.last = nn.Dropout(0.5), nn.Linear(8 * 16, 5)

        def forward(self, x: Any) -> Any:
            x = self.part(torch.relu(self.norm(self.conv(x))))
            return self.last(self.drop(x.flatten(1)))

    torch.manual_seed(0)
    return Net()


def test_a_module_and_its_saved_program_give_the_outputs_of_pytorch(tmp_path: Path) -> None:
    module = network()
    import torch

    example, path = torch.randn(1, 3, 16, 16), tmp_path / "net.dat"
    imported = midge.import_torch(module, (example,), name="net")
    assert module.training
    module.eval()
    dynamic = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(module, (torch.randn(4, 3, 16, 16),), dynamic_shapes=dynamic), path)
    with torch.no_grad():
        wanted = module(example).numpy()
    for found in (imported, import_model(path)):
        assert found.format == "pytorch"
        assert found.file_bytes > 0
        graph = run_passes(found.graph, CANONICALIZE)
        kinds = ["transpose", "conv2d", "depthwise_conv2d", "hard_swish", "max_pool2d", "fully_connected"]
        assert [op.kind for op in graph.ops if op.kind != "reshape"] == kinds
        assert graph.ops[-1].name == "last"
        np.testing.assert_allclose(interpret(graph, [example.numpy()])[0], wanted, rtol=1e-4, atol=1e-5)


def test_what_pytorch_cannot_export_is_an_error_in_words() -> None:
    torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "midge[train]"')

    class Branches(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x if float(x.sum()) > 0 else -x

    with pytest.raises(UnsupportedModelError, match="PyTorch cannot export net") as caught:
        midge.import_torch(Branches(), (torch.ones(1, 2),), name="net")
    assert caught.value.hint


def test_keras_files_that_cannot_be_are_errors_in_words_and_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All in the process that reads Keras files, one by one: it goes on after each."""
    h5py = pytest.importorskip("h5py", reason='needs h5py: pip install "midge[keras]"')
    monkeypatch.setenv("MIDGE_CACHE_DIR", str(tmp_path / "cache"))

    def hdf5(name: str, config: Any, fill: Any = lambda file: None) -> bytes:
        with h5py.File(tmp_path / name, "w") as file:
            if config is not None:
                file.attrs["model_config"] = json.dumps(config)
            fill(file)
        return (tmp_path / name).read_bytes()

    def linked(file: Any) -> None:
        file["weights"] = h5py.ExternalLink("/etc/passwd", "/")

    def outside(file: Any) -> None:
        file.create_dataset("w", (4,), "u1", external=[(str(tmp_path / "secret"), 0, 4)])

    def members(config: Any, weights: bytes) -> bytes:
        text = json.dumps(config).encode()
        return write_archive({"config.json": text, "metadata.json": b"{}", "model.weights.h5": weights})

    plain = {"class_name": "Sequential", "config": {"name": "net", "layers": []}}
    wrong = {"class_name": "Sequential", "config": {"layers": [{"class_name": "Nothing", "config": {}}]}}
    good = hdf5("good", None)
    cases = (
        (hdf5("lambda", LAMBDA), UnsupportedModelError, "Lambda: mine"),
        (members({**LAMBDA, "module": "keras"}, good), UnsupportedModelError, "Lambda: mine"),
        (hdf5("bare", None), UnsupportedModelError, "weights without the network"),
        (hdf5("linked", plain, linked), ModelFileError, "link to elsewhere"),
        (hdf5("outside", plain, outside), ModelFileError, "another file"),
        (hdf5("unknown", wrong), UnsupportedModelError, "Nothing"),
        (good[: len(good) // 2], ModelFileError, "HDF5"),
        (members(plain, b"no weights"), ModelFileError, "HDF5"),
    )
    rooms = tmp_path / "rooms"
    rooms.mkdir()
    files = [FrameworkFile("keras", f"net{i}", content) for i, (content, _, _) in enumerate(cases)]
    with pytest.raises(cases[0][1], match=cases[0][2]):
        framework._export(files, [tmp_path / "made" for _ in files], rooms)
    for number, (_, kind, words) in enumerate(cases):
        answer = json.loads((rooms / str(number) / "problem.json").read_text())
        assert (answer["error"], words in answer["message"]) == (kind.__name__, True), answer
        assert answer["hint"]
    assert not (tmp_path / "made").exists()


def test_a_missing_framework_is_an_error_with_the_pip_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framework.importlib.util, "find_spec", lambda name: None)
    path = tmp_path / "net.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(40))
    with pytest.raises(MissingExtraError, match="keras, torch") as caught:
        import_model(path)
    assert caught.value.hint == 'pip install "midge[keras]"'
    with pytest.raises(MissingExtraError) as caught:
        midge.import_torch(None, ())
    assert caught.value.hint == 'pip install "midge[train]"'


def test_a_framework_that_dies_is_an_error_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(command: list[str], **_: Any) -> Any:
        return subprocess.CompletedProcess(command, -11, "", "first\nSegmentation fault\n")

    monkeypatch.setattr(framework, "require", lambda kind: None)
    monkeypatch.setattr(framework.importlib.metadata, "version", lambda package: "1")
    monkeypatch.setattr(framework.subprocess, "run", die)
    monkeypatch.setenv("MIDGE_CACHE_DIR", str(tmp_path))
    with pytest.raises(UnsupportedModelError, match=r"Keras died \(exit -11: Segmentation fault\)"):
        export_to_onnx([FrameworkFile("keras", "net", b"")])


def test_what_was_exported_once_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []

    def export(command: list[str], **_: Any) -> Any:
        runs.append(command)
        for room in command[4:]:
            (Path(room) / "model.onnx").write_bytes((Path(room) / "model").read_bytes() + b"!")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(framework, "require", lambda kind: None)
    monkeypatch.setattr(framework.importlib.metadata, "version", lambda package: "1")
    monkeypatch.setattr(framework.subprocess, "run", export)
    monkeypatch.setenv("MIDGE_CACHE_DIR", str(tmp_path))
    one, two = FrameworkFile("keras", "net", b"one"), FrameworkFile("pytorch", "net", b"two")
    assert export_to_onnx([one]) == [b"one!"]
    assert export_to_onnx([one, two, one]) == [b"one!", b"two!", b"one!"]
    assert [len(command) - 4 for command in runs] == [1, 1]
