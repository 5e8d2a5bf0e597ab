"""An ELF file taken apart: symbols by name and address, and damaged files."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest

from midge.boards import load_board
from midge.build.image import Image, load_image
from midge.build.toolchain import compile_firmware, find_toolchain
from midge.errors import MidgeError, ToolchainError

MODEL = """
void midge_t_first(void); void midge_t_second(void);
volatile int midge_t_count;
void midge_t_first(void) { midge_t_count = midge_t_count * 3; }
void midge_t_second(void) { midge_t_count = midge_t_count / 3; }
"""
MAIN = """
void midge_t_first(void); void midge_t_second(void);
int main(void) { for (;;) { midge_t_first(); midge_t_second(); } }
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """A small firmware."""
    board = load_board("nucleo_l4r5zi")
    folder = tmp_path_factory.mktemp("image")
    return compile_firmware({"main.c": MAIN, "model.c": MODEL}, board, find_toolchain(board.core), folder)


def test_every_address_of_a_function_belongs_to_it(image: Image) -> None:
    for name in ("midge_t_first", "midge_t_second", "main", "midge_reset"):
        symbol = image.symbol(name)
        assert symbol.is_function
        assert symbol.address % 2 == 0
        assert symbol.bytes > 0
        for address in range(symbol.address, symbol.address + symbol.bytes):
            assert image.function_at(address) == symbol
        assert image.describe(symbol.address + 2) == f"{name}+0x2 (0x{symbol.address + 2:08x})"


@pytest.mark.parametrize("address", [0, 0x20000000, 0xFFFFFFFE, 0x08100000])
def test_an_address_outside_of_the_code_is_in_no_function(image: Image, address: int) -> None:
    assert image.function_at(address) is None
    assert image.describe(address) == f"0x{address:08x} (in no function)"


def test_variables_are_symbols_but_no_functions(image: Image) -> None:
    assert not image.symbol("midge_t_count").is_function
    assert image.symbol("midge_t_count").bytes == 4


def test_a_symbol_that_is_not_there_is_an_error_in_words(image: Image) -> None:
    with pytest.raises(ToolchainError, match="no symbol 'nothing'"):
        image.symbol("nothing")


def test_what_is_flashed_begins_with_the_vectors(image: Image) -> None:
    stack, reset = (int.from_bytes(image.segments[0].data[at : at + 4], "little") for at in (0, 4))
    assert stack == image.symbol("midge_stack_top").address
    assert reset == image.symbol("midge_reset").address | 1


def test_a_damaged_file_is_an_error_or_an_image_but_never_a_traceback(image: Image, tmp_path: Path) -> None:
    whole = image.path.read_bytes()
    draw = random.Random(4)
    damaged = tmp_path / "damaged.elf"
    for _ in range(200):
        data = bytearray(whole[: draw.choice([len(whole), draw.randrange(len(whole))])])
        for _ in range(draw.randrange(8)):
            if data:
                data[draw.randrange(min(len(data), draw.choice([64, len(data)])))] = draw.randrange(256)
        damaged.write_bytes(data)
        with suppress(MidgeError):
            load_image(damaged)


def test_a_missing_file_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="not a readable ELF file"):
        load_image(tmp_path / "none.elf")
