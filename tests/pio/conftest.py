"""PlatformIO's core directory, seeded once, and one project that several tests look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from midge.build.image import Image
from midge.build.platformio import build_project
from midge.importers import import_model
from midge.pipeline import Compiled, compile_model
from midge.run.board import project_folder, write_project
from midge.settings import Settings
from pio.seed import seed_core

HELLO = "models/tflm/hello_world_int8.tflite"


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The environment in which `pio` needs no network, and midge a cache that nobody else has."""
    environment = seed_core(tmp_path_factory.mktemp("pio") / "core")
    return {**environment, "MIDGE_CACHE_DIR": str(tmp_path_factory.mktemp("cache"))}


@pytest.fixture(scope="module", autouse=True)
def core(seeded: Mapping[str, str]) -> Iterator[None]:
    """That environment around the tests of one file here."""
    with _environment(seeded):
        yield


class Built(NamedTuple):
    """A project in midge's cache, and what PlatformIO has made of it."""

    compiled: Compiled
    folder: Path
    image: Image


@pytest.fixture(scope="session")
def hello_on_uno(seeded: Mapping[str, str], asset: Callable[[str], Path]) -> Built:
    """hello_world for the Uno."""
    with _environment(seeded):
        compiled = compile_model(import_model(asset(HELLO)), Settings(board="uno", precision="as-is"))
        folder = project_folder(compiled)
        write_project(compiled, folder)
        return Built(compiled, folder, build_project(folder, compiled.board, print))


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        yield
