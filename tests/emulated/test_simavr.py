"""AVR boards in simavr: cycles as the data sheet has them, the stack's mark is its depth, faults are told in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

import msgspec
import pytest
import serial
from small_firmware import ECHO_MAIN

from midge.boards import load_board
from midge.build.toolchain import compile_firmware, find_toolchain
from midge.errors import BoardError, DeviceFaultError, DoesNotFitError, MidgeError, MissingExtraError
from midge.run.serial_handlers import register
from midge.run.simavr.board import SimavrBoard
from midge.run.simavr.runner import find_runner

BOARDS = ("uno", "mega2560")


class Start(Protocol):
    """Builds a firmware around `void midge_t_run(uint8_t byte)` and starts it."""

    def __call__(self, name: str, model: str, deadline: int = ...) -> SimavrBoard: ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Skips where there is no compiler or no simavr."""
    with ExitStack() as boards:

        def build(name: str, model: str, deadline: int = 50_000_000) -> SimavrBoard:
            board = load_board(name)
            sources = {"main.c": ECHO_MAIN, "model.c": "#include <stdint.h>\nvoid midge_t_run(uint8_t byte);\n" + model}
            try:
                find_runner()
                toolchain = find_toolchain(board.core)
            except (MissingExtraError, MidgeError) as error:
                if "apt install" not in error.hint:
                    raise
                pytest.skip(f"needs what is not installed: {error.hint}")
            image = compile_firmware(sources, board, toolchain, tmp_path, optimize="size")
            emulated = boards.enter_context(closing(SimavrBoard(image, board, deadline_cycles=deadline)))
            emulated.watch("midge_t_run")
            return emulated

        yield build


def assembly(body: str) -> str:
    """`midge_t_run` in assembler."""
    head = ('.section .text.t, "ax"', ".global midge_t_run", ".type midge_t_run, @function", "midge_t_run:")
    lines = (*head, *(line.strip() for line in body.splitlines()), ".size midge_t_run, . - midge_t_run")
    quoted = (line.replace('"', '\\"') for line in lines)
    return "__asm__(" + "".join(f'"{line}\\n"' for line in quoted) + ");"


def cost(board: SimavrBoard, byte: int = 0) -> tuple[int, int]:
    """Instructions and cycles of one call."""
    board.write(bytes([byte]))
    assert board.read(1) == bytes([byte])
    found = board.calls("midge_t_run")[-1].cost
    return found.instructions, found.cycles


# From the instruction set manual, AVRe+: MUL, LDD, STS, LPM, branches, and a return of two or three bytes.
TIMES = "ldi r18, 10\n 1: dec r18\n brne 1b\n ret"
TABLE = "clr r30\n clr r31\n lpm r18, Z+\n lpm r19, Z\n mul r18, r19\n clr r1\n sts 0x300, r0\n lds r18, 0x300\n ret"


@pytest.mark.parametrize(("name", "returns"), [("uno", 4), ("mega2560", 5)])
def test_instructions_take_the_cycles_of_the_manual(name: str, returns: int, start: Start) -> None:
    assert cost(start(name, assembly(TIMES))) == (22, 1 + 10 + 9 * 2 + 1 + returns)
    assert cost(start(name, assembly(TABLE))) == (9, 2 * 1 + 2 * 3 + 2 + 1 + 2 * 2 + returns)


def test_the_shares_of_functions_sum_up_to_the_call(start: Start) -> None:
    board = start(
        "uno",
        "static uint32_t state;\n"
        "static __attribute__((noinline)) void divide(uint8_t by) { state = (state * 77777u + 1u) / by; }\n"
        "void midge_t_run(uint8_t byte) { for (uint8_t i = 0; i < 10; i++) { divide((uint8_t)(byte + i)); } }",
    )
    whole = cost(board, 3)
    call = board.calls("midge_t_run")[-1]
    assert (
        sum(c.instructions for c in call.functions.values()),
        sum(c.cycles for c in call.functions.values()),
    ) == whole
    assert {"midge_t_run", "divide", "__mulsi3", "__udivmodsi4"} <= set(call.functions)


@pytest.mark.parametrize("name", BOARDS)
def test_the_stack_mark_is_as_deep_as_the_stack_was(name: str, start: Start) -> None:
    board = start(
        name,
        """
        static void touch(volatile uint8_t *from, int bytes) { for (int i = 0; i < bytes; i++) { from[i] = 1; } }
        static __attribute__((noinline)) void shallow(void) { volatile uint8_t here[40]; touch(here, 40); }
        static __attribute__((noinline)) void deep(void) { volatile uint8_t here[900]; touch(here, 900); }
        void midge_t_run(uint8_t byte) { if (byte != 0) { deep(); } else { shallow(); } }
        """,
    )
    cost(board, 0)
    shallow = board.stack_high_water_bytes()
    cost(board, 1)
    assert 40 < shallow < 100
    assert board.stack_high_water_bytes() == shallow + 860


# The assembler at the end keeps a last call from becoming a jump.
RUN = 'void midge_t_run(uint8_t byte) { (void)byte; BODY __asm__ volatile(""); }'
FAULTS = {
    "stack overflow": """
        uint8_t midge_t_deep(uint8_t n) {
            volatile uint8_t here[30];
            here[n % 30] = n;
            return n == 0 ? 0 : (uint8_t)(here[1] + midge_t_deep((uint8_t)(n - 1)));
        }
        void midge_t_run(uint8_t byte) { (void)byte; midge_t_deep(200); }
    """,
    "write to 0xf000, where there is no memory": RUN.replace("BODY", "*(volatile uint8_t *)0xF000 = byte;"),
    "read of 0xf000, where there is no memory": RUN.replace("BODY", "(void)*(volatile uint8_t *)0xF000;"),
    "a jump to what is not code": RUN.replace("BODY", "((void (*)(void))0x3E00)();"),
    "a jump to address 0": "static void (*volatile nothing)(void);\n" + RUN.replace("BODY", "nothing();"),
    "the watchdog has reset it": "#include <avr/wdt.h>\n"
    + RUN.replace("BODY", "wdt_enable(WDTO_15MS); for (;;) { (*(volatile uint8_t *)0x200)++; }"),
    "an endless loop with nothing in it": RUN.replace("BODY", "if (byte) { __builtin_trap(); }"),
    "it went to sleep": "#include <avr/sleep.h>\n" + RUN.replace("BODY", "sleep_enable(); sleep_cpu();"),
    "no end within 3000000 cycles": RUN.replace("BODY", "for (;;) { (*(volatile uint8_t *)0x200) += byte; }"),
}


@pytest.mark.parametrize("words", FAULTS)
def test_a_core_that_stops_says_why_and_where(words: str, start: Start) -> None:
    board = start("uno", FAULTS[words], 3_000_000)
    board.write(b"\x01")
    with pytest.raises(DeviceFaultError) as caught:
        board.read(1)
    assert words in str(caught.value)
    assert "in midge_t_" in str(caught.value) or "called from" in str(caught.value)
    with pytest.raises(DeviceFaultError):
        board.read(1)
    board.reset()
    assert board.read(1) == b""


def test_an_elf_file_on_an_uno_is_a_serial_port(start: Start) -> None:
    elf = start("uno", RUN.replace("BODY", "")).image.path
    register()
    with serial.serial_for_url(f"emu://{elf}?board=uno") as port:
        port.write(b"hello")
        assert port.read(100) == b"hello"


def test_firmware_larger_than_the_board_is_refused_by_the_linker(start: Start) -> None:
    read = RUN.replace("BODY", "read = ballast[byte];")
    flash = "const __flash uint8_t ballast[%d] = {1};\nuint8_t read;\n" + read
    with pytest.raises(DoesNotFitError, match=r"does not fit uno .*`FLASH' overflowed by \d+ bytes"):
        start("uno", flash % 32_300)
    ram = "uint8_t ballast[%d];\n" + RUN.replace("BODY", "ballast[byte] = 1;")
    with pytest.raises(DoesNotFitError, match=r"`RAM' overflowed"):
        start("uno", ram % 1_980)
    assert cost(start("uno", ram % 1_900))[0] > 0


def test_a_board_of_another_kind_is_refused(start: Start) -> None:
    image = start("uno", "void midge_t_run(uint8_t byte) { (void)byte; }").image
    with pytest.raises(BoardError, match="not emulated by simavr"):
        SimavrBoard(image, load_board("cortex-m4f"))
    tiny = msgspec.structs.replace(load_board("uno").core.emulator, flash_bytes=100)
    core = msgspec.structs.replace(load_board("uno").core, emulator=tiny)
    with pytest.raises(DoesNotFitError, match="larger than an atmega328p"):
        SimavrBoard(image, msgspec.structs.replace(load_board("uno"), core=core))


def test_without_libsimavr_the_error_has_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "gcc"
    compiler.write_text(
        '#!/bin/sh\ncase "$1" in --version) echo gcc 1;; *) echo no simavr/sim_avr.h >&2; exit 1;; esac\n'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("MIDGE_HOST_COMPILER", str(compiler))
    monkeypatch.setenv("MIDGE_CACHE_DIR", str(tmp_path))
    find_runner.cache_clear()
    try:
        with pytest.raises(MissingExtraError, match="apt install libsimavr-dev"):
            find_runner()
    finally:
        find_runner.cache_clear()
