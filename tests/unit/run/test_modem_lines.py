"""Boards of every kind of modem line behind an RFC 2217 server, and a port that goes away at upload."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from link_device import HASH, Device, DevicePort, draw_inputs, expected_outputs
from midge.boards import Board, load_board
from midge.errors import LinkError
from midge.run.bridge import open_pty, pump
from midge.run.conversation import Conversation, Patience
from midge.run.serial_port import open_port
from rfc2217_board import Kind, ModemBoard, rfc2217_board

# What a boot ROM says at 74,880 bits a second, heard at 115,200: no text, and zeros in it.
GARBAGE = bytes(random.Random(74880).choice([0, 0, 0x80, 0xC0, 0xE0, 0xFC, 0xFE, 0x1C, 0x66]) for _ in range(300))
PATIENCE = Patience(ready_seconds=3.0, answer_seconds=0.1)


def _board(name: str) -> Board:
    """As the board's file has it, without the time in which a boot loader would listen."""
    board = load_board(name)
    return msgspec.structs.replace(board, serial=msgspec.structs.replace(board.line, quiet_seconds=0.0))


def _infer(url: str, board: Board) -> None:
    rng = random.Random(url)
    with open_port(url, board) as port:
        conversation = Conversation(port, expect_hash=HASH, patience=PATIENCE)
        for _ in range(3):
            inputs = draw_inputs(rng)
            assert conversation.infer(inputs).outputs == expected_outputs(inputs)


def test_a_board_that_resets_on_open_is_waited_for(device: Device) -> None:
    board = ModemBoard(device, Kind(reset="dtr", boot_says=GARBAGE, boot_seconds=0.6))
    with rfc2217_board(board) as url:
        for times in (1, 2):
            _infer(url, _board("uno"))
            assert board.resets == times


def test_a_board_that_is_silent_while_dtr_is_low_sees_it_high(device: Device) -> None:
    board = ModemBoard(device, Kind(needs_dtr=True))
    with rfc2217_board(board) as url:
        _infer(url, _board("nano33ble"))
        assert any(dtr for dtr, _ in board.lines)


def test_an_esp_runs_its_program_while_the_port_is_open_and_after(device: Device) -> None:
    board = ModemBoard(device, Kind(reset="esp", boot_says=b"ets Jul 29 2019 12:21:46\r\n" + GARBAGE))
    with rfc2217_board(board) as url:
        for _ in range(3):
            _infer(url, _board("esp32dev"))
            assert not board.in_boot_loader
    assert board.resets == 0, "RTS is released before DTR"


def test_the_order_of_an_uploader_leads_to_the_boot_loader(device: Device) -> None:
    board = ModemBoard(device, Kind(reset="esp"))
    for board.dtr, board.rts in ((True, True), (False, True), (True, True), (True, False)):
        pass
    assert (board.resets, board.in_boot_loader) == (1, True)


def test_a_board_left_in_its_boot_loader_is_an_error_that_says_so(device: Device) -> None:
    board = ModemBoard(device, Kind())
    board.in_boot_loader = True
    hasty = Patience(ready_seconds=0.3, answer_seconds=0.05, attempts=2)
    with rfc2217_board(board) as url, open_port(url, _board("uno")) as port:
        with pytest.raises(LinkError, match="no answer to HELLO") as caught:
            Conversation(port, patience=hasty).hello()
        assert "firmware is flashed" in caught.value.hint


@pytest.fixture
def shelf(tmp_path: Path, device: Device) -> Iterator[Path]:
    """A path where the device is plugged in, as /dev/ttyACM0 is: a link to a pty that a thread serves."""
    with open_pty() as outer:
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                pump(DevicePort(device), outer, poll_seconds=0.01, until=time.monotonic() + 0.05)

        thread = threading.Thread(target=serve)
        thread.start()
        path = tmp_path / "ttyACM0"
        path.symlink_to(outer.name)
        yield path
        stop.set()
        thread.join()


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a system with device paths")
def test_a_port_that_goes_away_at_upload_and_comes_back_is_found_again(shelf: Path) -> None:
    board = _board("nano33ble")
    _infer(str(shelf), board)
    target = shelf.readlink()
    shelf.unlink()
    with pytest.raises(LinkError, match="there is no port"), open_port(str(shelf), board):
        pass
    threading.Timer(0.6, shelf.symlink_to, (target,)).start()
    with open_port(str(shelf), board, wait_seconds=10.0) as port:
        assert Conversation(port, expect_hash=HASH, patience=PATIENCE).hello().model_name == "adder"
