"""What `midge compile` costs this computer, as nets grow: seconds and peak memory of the command, 1, 4 and 16 times.

A net is a chain of 3x3 depthwise and 1x1 convolutions on 8x8x64 values, drawn weights, written as a .tflite file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from midge.exporters.tflite_file import tflite_file
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.ops.formats import SourceOp

_CHANNELS, _SIDE, _PAIRS = 64, 8, 4
_REPEATS = 3
_RELU, _SAME = 1, 0
# A process's peak memory begins with that of its parent, so a small one stands between this one and the compiler.
_BETWEEN = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def scaling(real: dict[str, Path]) -> list[dict[str, Any]]:
    """Per net: how large it is, and the best of some runs. `real` are .tflite files to measure as well, by title."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="midge-bench-") as folder:
        nets = {f"{times}x": Path(folder) / f"net_{times}.tflite" for times in (1, 4, 16)}
        for times, path in zip((1, 4, 16), nets.values(), strict=True):
            path.write_bytes(_net(_PAIRS * times))
        for title, path in {**nets, **real}.items():
            runs = [_compile(path, Path(folder) / "out") for _ in range(_REPEATS)]
            seconds, megabytes = (min(column) for column in zip(*runs, strict=True))
            rows.append({"net": title, "file_bytes": path.stat().st_size, "seconds": seconds, "megabytes": megabytes})
    return rows


def _compile(path: Path, out: Path) -> tuple[float, float]:
    """Seconds and peak megabytes of one `midge compile`."""
    midge = [sys.executable, "-c", "from midge.cli import main; main()"]
    command = [*midge, "compile", str(path), "--board", "cortex-m4f", "--precision", "as-is", "-o", str(out)]
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", _BETWEEN, *command], capture_output=True, text=True)
    seconds = time.monotonic() - start
    if done.returncode:
        raise SystemExit(f"midge compile {path.name} failed: {done.stderr}")
    kilobytes = int(done.stdout) / (1024 if sys.platform == "darwin" else 1)
    return seconds, kilobytes / 1024


def _net(pairs: int) -> bytes:
    draw = np.random.default_rng(pairs)
    shape = (1, _SIDE, _SIDE, _CHANNELS)
    activation = Quant.per_tensor(0.0235, -128)
    before = first = Tensor("x", shape, DType.S8, activation)
    operators = []
    for layer in range(2 * pairs):
        depthwise = layer % 2 == 0
        size = (1, 3, 3, _CHANNELS) if depthwise else (_CHANNELS, 1, 1, _CHANNELS)
        axis = 3 if depthwise else 0
        scales = np.full(_CHANNELS, 0.01, np.float32)
        weights = _constant(f"w{layer}", draw.integers(-127, 128, size).astype(np.int8), DType.S8, scales, axis)
        bias = draw.integers(-2000, 2000, _CHANNELS).astype(np.int32)
        constants = (weights, _constant(f"b{layer}", bias, DType.S32, scales * np.float32(0.0235), 0))
        after = Tensor(f"t{layer}", shape, DType.S8, activation)
        attributes = {"Padding": _SAME, "StrideW": 1, "StrideH": 1, "DilationWFactor": 1, "DilationHFactor": 1}
        attributes |= {"FusedActivationFunction": _RELU} | ({"DepthMultiplier": 1} if depthwise else {})
        code = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        operators.append(SourceOp(code, f"op{layer}", (before, *constants), (after,), attributes))
        before = after
    return tflite_file(operators, [first], [before])


def _constant(name: str, data: Array, dtype: DType, scales: Array, axis: int) -> Tensor:
    quant = Quant(tuple(map(float, scales)), (0,) * len(scales), axis)
    return Tensor(name, data.shape, dtype, quant, data)
