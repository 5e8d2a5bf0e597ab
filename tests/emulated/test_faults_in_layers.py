"""A network that brings the core down: the message has the layer and the address."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from midge import Settings, compile_model, import_model
from midge.data import draw_inputs
from midge.errors import DeviceFaultError
from midge.run.devices import emulated_device

HELLO = "models/tflm/hello_world_int8.tflite"
TRAP = "__builtin_trap();"
NOWHERE = "((void (*)(void))0x7000u)();"
DEEP = "midge_deep();"
DEEP_STACK = """static void __attribute__((noinline)) midge_deep(void) {
    volatile uint8_t deep[60000];
    deep[0] = 1;
    deep[59999] = deep[0];
}
"""


@pytest.mark.parametrize(
    ("board", "crash", "words"),
    [
        ("cortex-m4f", TRAP, r"undefined instruction.*\+0x[0-9a-f]+ \(0x0800"),
        ("cortex-m0plus", DEEP, r"stack overflow.*\(0x0800"),
        ("rv32imc", TRAP, r"in midge_hello_world_int8_\w+\+0x"),
        ("uno", NOWHERE, r"0x00"),
        pytest.param("cortex-m55", TRAP, "exception", marks=pytest.mark.long),  # the link waits a minute first
    ],
)
def test_a_fault_names_its_layer(
    board: str, crash: str, words: str, asset: Callable[[str], Path], tmp_path: Path
) -> None:
    compiled = compile_model(import_model(asset(HELLO)), Settings(board=board, precision="as-is"))
    broken = compiled.sources["model.c"].replace("AFTER_LAYER(1);", f"{crash} AFTER_LAYER(1);")
    assert crash in broken
    if crash == DEEP:
        broken = broken.replace("void midge_hello_world_int8_run", DEEP_STACK + "void midge_hello_world_int8_run")
    compiled = replace(compiled, sources={**compiled.sources, "model.c": broken})
    layer = compiled.program.calls[1].layer
    with emulated_device(compiled, tmp_path) as device, pytest.raises(DeviceFaultError) as caught:
        device.infer(draw_inputs(compiled.graph, 1, 0)[0])
    assert f"in layer 1 ({layer})" in str(caught.value)
    assert re.search(words, str(caught.value)), str(caught.value)
