"""The high half of a product on AVR, in assembly, equals its definition: at the ends and for drawn numbers."""

from __future__ import annotations

import struct
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from midge.boards import load_board
from midge.build.toolchain import compile_firmware, find_toolchain
from midge.errors import MidgeError
from midge.resources import firmware_dir
from midge.run.simavr.board import SimavrBoard
from midge.run.simavr.runner import find_runner

MAIN = """
#include "midge_nn.h"
#include "port/port.h"
static int32_t numbers[2];
static void take(uint8_t *to, uint8_t size) {
    for (uint8_t have = 0; have < size;) {
        have += (uint8_t)midge_port_read(to + have, size - have);
    }
}
int main(void) {
    midge_port_init();
    for (;;) {
        take((uint8_t *)numbers, sizeof numbers);
        const int32_t product = midge_high_mul(numbers[0], numbers[1]);
        midge_port_write((const uint8_t *)&product, sizeof product);
    }
}
"""
ENDS = (-(2**31), -(2**31) + 1, -(2**16), -65535, -256, -1, 0, 1, 127, 128, 255, 256, 65535, 65536, 2**30, 2**31 - 1)


def test_the_high_half_of_a_product_is_exact(tmp_path: Path) -> None:
    board = load_board("uno")
    try:
        find_runner()
        toolchain = find_toolchain(board.core)
    except MidgeError as error:
        pytest.skip(f"needs what is not installed: {error.hint}")
    headers = {name: (firmware_dir() / "nn" / name).read_text() for name in ("midge_nn.h", "midge_flash.h")}
    image = compile_firmware({**headers, "main.c": MAIN}, board, toolchain, tmp_path)
    drawn = np.random.default_rng(0).integers(-(2**31), 2**31, (400, 2)).tolist()
    pairs = [(a, b) for a in ENDS for b in ENDS if a + b > -(2**32)] + drawn
    with closing(SimavrBoard(image, board)) as emulated:
        for a, b in pairs:
            emulated.write(struct.pack("<ii", a, b))
            assert struct.unpack("<i", emulated.read(4)) == ((a * b + 2**30) >> 31,), (a, b)
