"""Board files: what travels with midge loads, and every mistake is named by its field."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from midge.boards import Simavr, Unicorn, list_boards, list_twin_cores, load_board, load_core
from midge.errors import BoardError
from midge.measure.timing import load_model
from midge.resources import boards_dir, firmware_dir


@pytest.mark.parametrize("name", list_boards())
def test_every_board_that_travels_with_midge_loads(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    assert board.has_twin or (board.platformio is not None and board.serial is not None)
    assert board.memory is None or board.memory.flash_address != board.memory.ram_address


def test_a_board_without_a_twin_says_so() -> None:
    assert not load_board("esp32dev").has_twin
    with pytest.raises(BoardError, match="no emulated twin of esp32dev"):
        _ = load_board("esp32dev").twin


def test_a_board_that_exists_only_emulated_has_nothing_to_build_for() -> None:
    with pytest.raises(BoardError, match="only emulated"):
        _ = load_board("cortex-m4f").build


@pytest.mark.parametrize("name", list_twin_cores())
def test_every_emulated_core_has_a_port_and_something_that_counts(name: str) -> None:
    core = load_core(name)
    assert (firmware_dir() / "port" / core.port / "link.ld").is_file()
    assert (firmware_dir() / "port" / core.line / "port.c").is_file()
    if isinstance(core.emulator, Unicorn):
        assert core.timing.model is not None
        assert callable(load_model(core.timing.model))
    else:
        assert core.timing.kind == ("exact cycles" if isinstance(core.emulator, Simavr) else "instructions")


def test_the_board_of_the_mlperf_results_is_described_as_its_data_sheet_says() -> None:
    board = load_board("nucleo_l4r5zi")
    assert (board.clock_hz, board.wait_states) == (120_000_000, 5)
    assert (board.flash_bytes, board.ram_bytes) == (2 * 1024 * 1024, 640 * 1024)
    assert board.core.name == "cortex-m4f"
    assert {"dsp", "fpu"} <= set(board.core.features)


def test_a_board_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        load_board("nucleo_l4r5zi").clock_hz = 1  # type: ignore[misc]


def test_an_unknown_board_lists_those_there_are() -> None:
    with pytest.raises(BoardError, match="nucleo_l4r5zi"):
        load_board("nucleo")


@pytest.mark.parametrize(
    ("line", "change", "path"),
    [
        ('modem = "ignored"', 'modem = "loud"', "$.serial.modem"),
        ("speed = 115_200", 'speed = "fast"', "$.serial.speed"),
        ("speed = 115_200", "spede = 115_200", "spede"),
        ("clock_hz = 120_000_000", "clock_hz = 0", "$.clock_hz"),
        ("clock_hz = 120_000_000", "", "clock_hz"),
        ("flash_address = 0x0800_0000", "flash_address = 0x0800_0001", "$.memory.flash_address"),
        ('usb = ["0483:374b", "0483:3752"]', 'usb = ["0483:374b", "ST-LINK"]', "$.serial.usb[1]"),
        ('core = "cortex-m4f"', 'core = "cortex-m99"', "cortex-m99"),
        ('core = "cortex-m4f"', "core = 4", "$.core"),
        ("[memory]", "[memory", "cannot be read"),
    ],
)
def test_a_mistake_in_a_board_file_is_named_by_its_field(tmp_path: Path, line: str, change: str, path: str) -> None:
    text = (boards_dir() / "nucleo_l4r5zi.toml").read_text()
    assert line in text
    file = tmp_path / "mine.toml"
    file.write_text(text.replace(line, change))
    with pytest.raises(BoardError) as caught:
        load_board(file)
    assert path in str(caught.value)


def test_a_board_of_ones_own_is_loaded_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text((boards_dir() / "cortex-m4f.toml").read_text().replace('name = "cortex-m4f"', 'name = "mine"'))
    assert msgspec.structs.replace(load_board(file), name="cortex-m4f") == load_board("cortex-m4f")
