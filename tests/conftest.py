"""Fixtures for all tests: where the assets lie (real models and data, which the repository does not contain)."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

# Nothing that a user has tuned on this computer may change what a test compiles.
os.environ["MIDGE_CACHE_DIR"] = str(Path(tempfile.gettempdir()) / "midge-tests")


def pytest_configure() -> None:
    """A shell starts background jobs deaf to SIGINT, and they hand that on: tests of Ctrl-C need it heard."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With MIDGE_REQUIRE_ALL set, as in CI, a skip for want of anything but hardware is a failure."""
    report = yield
    if report.skipped and os.environ.get("MIDGE_REQUIRE_ALL") and item.get_closest_marker("hardware") is None:
        report.outcome = "failed"
        report.longrepr = f"skipped although MIDGE_REQUIRE_ALL is set: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of the assets, from MIDGE_ASSETS: unset skips the test, a wrong one fails it."""
    named = os.environ.get("MIDGE_ASSETS", "")
    if not named:
        pytest.skip("needs the assets: set MIDGE_ASSETS to their folder")
    folder = Path(named)
    if not (folder / "models" / "models.json").is_file():
        pytest.fail(f"MIDGE_ASSETS={named} holds no models/models.json")
    return folder


@pytest.fixture(scope="session")
def asset(assets: Path) -> Callable[[str], Path]:
    """Path of one asset by its name, e.g. `models/tflm/hello_world_int8.tflite`; a missing one fails the test."""

    def find(name: str) -> Path:
        path = assets / name
        if not path.is_file():
            pytest.fail(f"the asset {name} is missing from {assets}")
        return path

    return find
