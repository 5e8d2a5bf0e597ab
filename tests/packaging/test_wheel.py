"""The wheel is whole: away from the checkout it finds its templates, firmware and boards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

# One process: what the tests share is made once.
pytestmark = pytest.mark.xdist_group(__name__)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built by its own build backend."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, cwd=folder)
    return next(folder.glob("midge-*.whl"))


def test_the_wheel_carries_what_is_not_python(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "midge/templates/project/model.c.j2",
        "midge/firmware/main.c",
        "midge/boards_data/nucleo_l4r5zi.toml",
    ):
        assert needed in names
    assert not [name for name in names if "__pycache__" in name or name.startswith(("tests/", "examples/"))]


def test_the_installed_wheel_does_the_demo_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    site = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    zipfile.ZipFile(wheel).extractall(site)
    # Dependencies come from this environment; an editable install of midge is not seen through PYTHONPATH.
    environ = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
    empty = tmp_path / "empty"
    empty.mkdir()
    digits = ROOT / "examples" / "digits"
    command = [str(python), "-c", "from midge.cli import main; main()", "run", str(digits / "digits.tflite")]
    command += [
        "--board",
        "nucleo_l4r5zi",
        "--emulate",
        "--data",
        str(digits / "digits.npz"),
        "--samples",
        "5",
        "--json",
    ]
    done = subprocess.run(command, cwd=empty, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["exact"]["mismatches"] == 0
    assert report["accuracy"]["device"] == report["accuracy"]["integer"]
    assert not list(empty.iterdir()), "a run leaves nothing behind"
