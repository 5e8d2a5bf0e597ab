"""The device's side of the conversation, compiled once for the tests of a module."""

from __future__ import annotations

import pytest

from link_device import Device


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Device:
    """The firmware's protocol as a library."""
    return Device(tmp_path_factory.mktemp("device"))


@pytest.fixture
def device(library: Device) -> Device:
    """The same, started anew."""
    library.start()
    return library
