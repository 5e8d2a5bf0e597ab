"""The boards' files say what PlatformIO's own manifests say: those that are installed here, and the facts of the public
ones, which the stand-ins in tests/pio/platforms carry for every board."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from semantic_version import SimpleSpec, Version

from midge.boards import Board, list_boards, load_board

STAND_INS = Path(__file__).parent / "platforms"
BOARDS = tuple(name for name in list_boards() if load_board(name).platformio is not None)
CPUS = {"cortex-m4": "cortex-m4f"}
ESP_PARTITIONS = {4 * 2**20: 0x14_0000, 8 * 2**20: 0x33_0000}
"""What the default partition table leaves to a program in so much flash."""


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_what_the_public_manifest_says(name: str) -> None:
    board = load_board(name)
    _compare(board, _manifest(STAND_INS / _platform(board), board))


@pytest.mark.hardware  # such an installation is as rare in CI as a board
@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_what_the_installed_platform_says(name: str) -> None:
    board = load_board(name)
    core = Path(os.environ.get("PLATFORMIO_CORE_DIR") or Path.home() / ".platformio")
    platform = core / "platforms" / _platform(board)
    if not (platform / "platform.json").is_file():
        pytest.skip(f"PlatformIO's {_platform(board)} is not installed: pio pkg install -g -p '{board.build.platform}'")
    version = Version.coerce(json.loads((platform / "platform.json").read_text())["version"])
    pin = SimpleSpec(board.build.platform.split(" @ ")[1])
    assert version in pin, f"{_platform(board)} {version} is installed, midge asks for {pin}"
    _compare(board, _manifest(platform, board))


def test_a_manifest_that_says_otherwise_is_noticed() -> None:
    board = load_board("uno")
    manifest = _manifest(STAND_INS / "atmelavr", board)
    manifest["upload"]["maximum_size"] = 32768
    with pytest.raises(AssertionError):
        _compare(board, manifest)


def _compare(board: Board, manifest: dict[str, Any]) -> None:
    build, upload = manifest["build"], manifest["upload"]
    assert board.build.framework in manifest["frameworks"]
    assert board.clock_hz == int(str(build["f_cpu"]).rstrip("L"))
    assert board.flash_bytes == _free_flash(board, upload)
    assert board.ram_bytes == upload["maximum_ram_size"]
    if cpu := build.get("cpu"):
        assert board.core.name == CPUS.get(cpu, cpu)
    shown = {":".join(number.removeprefix("0x").lower() for number in pair) for pair in build.get("hwids", ())}
    if shown and not _is_at_a_bridge(board):
        assert shown & set(board.line.usb), f"PlatformIO knows the board by {sorted(shown)}"


def _free_flash(board: Board, upload: dict[str, Any]) -> int:
    """What the manifest's flash leaves to one program."""
    size, start = int(upload["maximum_size"]), int(upload.get("offset_address", "0"), 16)
    if _platform(board) == "espressif32":
        return ESP_PARTITIONS[size]
    if _platform(board) == "espressif8266":
        return 1_044_464  # eagle.flash.4m1m.ld: a megabyte is seen, less the first page and the last
    # An offset is where the boot loader ends; where it is an address, the manifest has taken it off already.
    return size - start if start < size else size


def _is_at_a_bridge(board: Board) -> bool:
    """An ESP32-S3 shows its own USB ids at its other socket only."""
    return board.line.modem == "esp-reset"


def _platform(board: Board) -> str:
    return board.build.platform.split()[0]


def _manifest(platform: Path, board: Board) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((platform / "boards" / f"{board.build.board}.json").read_text())
    return found
