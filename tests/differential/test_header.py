"""The helpers of the generated header: real numbers in, real numbers out, as QUANTIZE and DEQUANTIZE have them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from midge.data import load_data
from midge.importers import import_model
from midge.numerics.fixed_point import quantize_array
from midge.pipeline import compile_model
from midge.settings import Settings

DIGITS = Path(__file__).resolve().parents[2] / "examples" / "digits"
MAIN = """
#include <stdio.h>
#include "model.h"
int main(void) {
    float real;
    while (fread(&real, sizeof real, 1, stdin) == 1) {
        fputc((unsigned char)midge_digits_quantize_input(real), stdout);
    }
    for (int value = -128; value < 128; ++value) {
        const float back = midge_digits_dequantize_output((int8_t)value);
        fwrite(&back, sizeof back, 1, stdout);
    }
    return 0;
}
"""


def test_the_header_quantizes_and_dequantizes_like_the_operators(tmp_path: Path) -> None:
    if not shutil.which("cc"):
        pytest.skip("needs a host compiler: apt-get install gcc")
    model = import_model(DIGITS / "digits.tflite")
    compiled = compile_model(model, Settings(), load_data(DIGITS / "digits.npz", model.graph))
    for name, text in {**compiled.sources, "main.c": MAIN}.items():
        (tmp_path / name).write_text(text)
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fno-sanitize-recover=all"]
    subprocess.run(["cc", *flags, "main.c", "-o", "main"], cwd=tmp_path, check=True)
    port_in, port_out = compiled.program.inputs[0].quant, compiled.program.outputs[0].quant
    assert port_in is not None
    assert port_out is not None
    draw = np.random.default_rng(5)
    steps = (np.arange(-300, 300) / 2).astype(np.float32)
    values = np.concatenate(
        [
            draw.normal(0, 1, 2000).astype(np.float32),
            steps * np.float32(port_in.scale),
            np.nextafter(np.float32(0.5), np.float32(0)) * np.float32([1, -1]) * np.float32(port_in.scale),
            np.float32([np.inf, -np.inf, 1e30, -1e30]),
        ]
    ).astype(np.float32)
    done = subprocess.run([tmp_path / "main"], input=values.tobytes(), capture_output=True, check=True)
    found = np.frombuffer(done.stdout[: len(values)], np.int8)
    np.testing.assert_array_equal(found, quantize_array(values, port_in, compiled.program.inputs[0].dtype))
    real = np.frombuffer(done.stdout[len(values) :], np.float32)
    np.testing.assert_array_equal(
        real, (np.arange(-128, 128) - port_out.zero_point).astype(np.float32) * np.float32(port_out.scale)
    )
