"""Logistic and tanh in 16 bits: Python equals C over the whole range, and both are near the real functions."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from midge.build.toolchain import find_host_compiler
from midge.errors import MidgeError
from midge.numerics.gemmlowp16 import logistic16, tanh16
from midge.resources import firmware_dir

ALL = np.arange(-32768, 32768)

_MAIN = """
#include <stdio.h>
#include "midge_nn_lstm.h"
int main(void) {
    static int32_t values[8][65536];
    for (int32_t x = -32768; x < 32768; ++x) {
        values[7][x + 32768] = midge_logistic_q3(x);
        for (int bits = 0; bits < 7; ++bits) values[bits][x + 32768] = midge_tanh_q(x, bits);
    }
    return fwrite(values, sizeof values, 1, stdout) != 1;
}
"""


def test_both_are_near_the_real_functions() -> None:
    assert np.abs(logistic16(ALL) / 32768 - 1 / (1 + np.exp(-ALL / 4096))).max() < 3e-4
    for bits in range(7):
        assert np.abs(tanh16(ALL, bits) / 32768 - np.tanh(ALL / 2 ** (15 - bits))).max() < 5e-4


def test_c_equals_python_over_the_whole_range(tmp_path: Path) -> None:
    try:
        compiler = find_host_compiler()
    except MidgeError as error:
        pytest.skip(str(error))
    (tmp_path / "main.c").write_text(_MAIN)
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{firmware_dir() / 'nn'}"]
    command = [*compiler.command, *flags, str(tmp_path / "main.c"), "-o", str(tmp_path / "main")]
    subprocess.run(command, check=True)
    found = np.frombuffer(subprocess.run([tmp_path / "main"], capture_output=True, check=True).stdout, np.int32)
    found = found.reshape(8, 65536)
    np.testing.assert_array_equal(found[7], logistic16(ALL))
    for bits in range(7):
        np.testing.assert_array_equal(found[bits], tanh16(ALL, bits))
