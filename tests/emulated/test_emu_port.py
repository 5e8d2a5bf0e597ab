"""emu:// through pyserial: the port behaves like a real one whose board answers at once."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import serial
from serial.serialutil import PortNotOpenError, SerialException
from small_firmware import Boot

from midge.boards import load_board
from midge.build.toolchain import Toolchain, find_toolchain
from midge.errors import DeviceFaultError, MidgeError
from midge.run.emulator import EmulatedBoard
from midge.run.serial_handlers import attach, register

ECHO = "void midge_t_run(uint8_t byte) { if (byte == 0xFF) { __builtin_trap(); } }"


@pytest.fixture
def toolchain() -> Toolchain:
    """Whichever compiler there is: the port does not care."""
    return find_toolchain(load_board("nucleo_l4r5zi").core)


@pytest.fixture
def board(boot: Boot) -> EmulatedBoard:
    """An echo that traps on 0xFF."""
    return boot(ECHO)


@pytest.fixture
def port(board: EmulatedBoard) -> Iterator[serial.SerialBase]:
    """The open port to the echo."""
    with attach(board) as url, serial.serial_for_url(url, baudrate=115200, timeout=2) as opened:
        yield opened


def test_bytes_come_back_through_pyserial(port: serial.SerialBase) -> None:
    data = bytes(range(255)) * 20
    assert port.write(data) == len(data)
    port.flush()
    assert port.in_waiting == len(data)
    assert port.read(10) == data[:10]
    assert port.read(len(data)) == data[10:]
    port.write(b"line\nrest")
    assert port.read_until(b"\n") == b"line\n"
    assert (port.out_waiting, port.read(4)) == (0, b"rest")


def test_a_board_with_nothing_to_say_is_not_waited_for(port: serial.SerialBase) -> None:
    start = time.monotonic()
    port.write(b"ab")
    assert port.read(100) == b"ab"
    assert port.read(100) == b""
    assert time.monotonic() - start < 1.5


def test_resetting_the_input_buffer_drops_what_was_sent(port: serial.SerialBase) -> None:
    port.write(b"old")
    port.reset_input_buffer()
    port.reset_output_buffer()
    port.write(b"new")
    assert port.read(100) == b"new"


def test_a_closed_port_refuses_and_opens_again(port: serial.SerialBase) -> None:
    port.write(b"a")
    port.close()
    for use in (lambda: port.read(1), lambda: port.write(b"x"), lambda: port.in_waiting):
        with pytest.raises(PortNotOpenError):
            use()
    port.open()
    port.dtr, port.rts = False, True
    assert port.read(1) == b"a"
    with pytest.raises(SerialException, match="already open"):
        port.open()


def test_a_fault_of_the_core_comes_through_the_port_by_its_name(port: serial.SerialBase) -> None:
    port.write(b"\xff")
    with pytest.raises(DeviceFaultError, match="undefined instruction"):
        port.read(1)


def test_an_elf_file_is_reached_by_its_path(board: EmulatedBoard) -> None:
    register()
    url = f"emu://{board.image.path}?board=nucleo_l4r5zi"
    with serial.serial_for_url(url) as first, serial.serial_for_url(url) as second:
        first.write(b"one")
        second.write(b"two")
        assert (first.read(9), second.read(9)) == (b"one", b"two")


@pytest.mark.parametrize("url", ["emu://nobody", "emu://", "emu:///firmware.elf", "emu://board-0"])
def test_a_url_that_names_no_board_is_refused(url: str) -> None:
    register()
    with pytest.raises(SerialException):
        serial.serial_for_url(url)


@pytest.mark.parametrize("url", ["emu:///no/such.elf?board=nucleo_l4r5zi", "emu:///dev/null?board=nucleo_l4r5zi"])
def test_a_file_that_is_no_firmware_is_an_error_in_words(url: str) -> None:
    register()
    with pytest.raises(MidgeError, match="ELF"):
        serial.serial_for_url(url)


def test_a_board_is_gone_when_its_attachment_ends(board: EmulatedBoard) -> None:
    with attach(board) as url:
        pass
    with pytest.raises(SerialException, match="no emulated board"):
        serial.serial_for_url(url)
