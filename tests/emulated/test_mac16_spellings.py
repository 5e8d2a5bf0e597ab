"""The kernels for MAC16 in names and in bytes are the same instructions: QEMU's disassembler reads the bytes.

Names are what a compiler for the ESP32 assembles. The LX106's cannot: here they come as far as its input.
"""

from __future__ import annotations

import re
import subprocess
from contextlib import closing
from math import prod
from pathlib import Path

import pytest

from compilers import needed_toolchain
from midge.boards import load_board
from midge.build.toolchain import Toolchain, compile_firmware
from midge.errors import MidgeError
from midge.run.qemu import QemuBoard

NN = Path(__file__).parents[2] / "firmware" / "nn"
BOARD = "xtensa-lx6"
DENSE = tuple(f"dense_{last}" for last in ("8", "16", "signed_8", "signed_16", "partial_8", "partial_16"))
RULES = ("", "_signed")
PLANES = tuple(f"plane_{row}{way}{rule}" for row in ("even", "odd") for way in ("", "_by_two") for rule in RULES)
KERNELS = (*DENSE, *PLANES)
# The widest kernel is shorter.
_MOST = 160
# A load can be multiplied so many instructions later without a wait, as far as is known.
_AHEAD = 3
_FIRST = ("addi", "a2", "a2", "-4")
_LABEL = re.compile(r"(\d+):")

Instruction = tuple[str, ...]


def _source() -> str:
    """Each kernel's assembly in a function of its own."""
    words, rest = "const uint32_t *a, const uint32_t *b, const uint32_t *k", "uint32_t c, uint32_t d, uint32_t e"
    lines = ['#include "midge_mac16.h"']
    for name in KERNELS:
        head = f"void probe_{name}({words}, {rest}, int8_t *out)"
        given = "c, d, e, out" if name in DENSE else "out, c, d, e"
        lines += [f"{head};", f"{head} {{ midge_mac16_{name}(a, b, k, {given}); }}"]
    table = ", ".join(f"probe_{name}" for name in KERNELS)
    lines += [f"typedef void probe({words}, {rest}, int8_t *out);", "extern probe *const volatile probes[];"]
    return "\n".join([*lines, f"probe *const volatile probes[] = {{ {table} }};", ""])


@pytest.fixture
def toolchain() -> Toolchain:
    """Debian's for the LX106."""
    return needed_toolchain(load_board(BOARD).core, "gcc")


def test_names_and_bytes_are_the_same_instructions(toolchain: Toolchain, tmp_path: Path) -> None:
    board = load_board(BOARD)
    named = _named(toolchain, tmp_path)
    main = "extern const void *const volatile probes[]; int main(void) { for (;;) { (void)probes[0]; } }\n"
    headers = {file.name: file.read_text() for file in NN.glob("*.h")}
    sources = {**headers, "main.c": main, "probe.c": _source()}
    image = compile_firmware(sources, board, toolchain, tmp_path / "build")
    try:
        qemu = QemuBoard(image, board, tmp_path)
    except MidgeError as error:
        pytest.skip(f"needs QEMU: {error.hint}")
    with closing(qemu):
        for name in KERNELS:
            expected = named[f"probe_{name}"]
            told = qemu.monitor(f"x/{_MOST}i {image.symbol(f'probe_{name}').address:#x}")
            assert _encoded(told, len(expected)) == expected, name
    found = {instruction[0] for kernel in named.values() for instruction in kernel}
    assert {"mula.dd.ll.ldinc", "mula.da.hh.ldinc", "ldinc", "loopnez", "wsr.acclo", "rsr.acclo", "min"} <= found


def test_loads_are_three_instructions_ahead_of_their_products(toolchain: Toolchain, tmp_path: Path) -> None:
    for name, kernel in _named(toolchain, tmp_path).items():
        loaded = dict.fromkeys(("m0", "m1", "m2", "m3"), -_AHEAD)
        for at, (what, *operands) in enumerate(_as_run(kernel)):
            if what.startswith("mula"):
                factors = operands[-2:]
                assert all(at - loaded.get(factor, -_AHEAD) >= _AHEAD for factor in factors), (name, at, what)
            if what.endswith("ldinc") or what == "l32i":
                loaded[operands[0]] = at


def _as_run(kernel: list[Instruction]) -> list[Instruction]:
    """The instructions in the order in which they run when both loops are run through three times."""
    outer = next(at for at, one in enumerate(kernel) if one[0] == "bnez")
    start, loop = int(kernel[outer][-1][1:]), next(at for at, one in enumerate(kernel) if one[0] == "loopnez")
    end = int(kernel[loop][-1][1:])
    once = [*kernel[start : loop + 1], *kernel[loop + 1 : end] * 3, *kernel[end : outer + 1]]
    return [*kernel[:start], *once * 3]


def _named(toolchain: Toolchain, folder: Path) -> dict[str, list[Instruction]]:
    """By function the instructions of its assembly, in names; labels are numbers of instructions."""
    (folder / "named.c").write_text(_source())
    flags = [*toolchain.flags, "-std=c11", "-O3", f"-I{NN}", "-DMIDGE_MAC16_NAMES=1"]
    done = subprocess.run(
        [*toolchain.command, *flags, "-S", "named.c", "-o", "named.s"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    text = (folder / "named.s").read_text()
    blocks = re.findall(r"^(probe_\w+):.*?#APP\n(.*?)#NO_APP", text, re.MULTILINE | re.DOTALL)
    return {name: _numbered(block) for name, block in blocks}


def _numbered(block: str) -> list[Instruction]:
    labels: dict[str, list[int]] = {}
    lines: list[Instruction] = []
    for line in (line.strip() for line in block.splitlines()):
        if label := _LABEL.fullmatch(line):
            labels.setdefault(label[1], []).append(len(lines))
        elif line and not line.startswith("#"):
            name, *operands = line.split(None, 1)
            lines.append((name, *(o.strip() for operand in operands for o in operand.split(","))))
    return [(one[0], *(_value(operand, at, labels) for operand in one[1:])) for at, one in enumerate(lines)]


def _value(operand: str, at: int, labels: dict[str, list[int]]) -> str:
    """A label as the number of the instruction that it stands before, an expression as its value."""
    if found := re.fullmatch(r"(\d+)([bf])", operand):
        places = labels[found[1]]
        near = max(p for p in places if p <= at) if found[2] == "b" else min(p for p in places if p > at)
        return f"#{near}"
    if re.fullmatch(r"-?[\d +*-]+", operand):
        terms = re.findall(r"([+-]?) *(\d+(?: \* \d+)*)", operand)
        return str(sum((-1 if sign == "-" else 1) * prod(map(int, term.split(" * "))) for sign, term in terms))
    return operand


def _encoded(told: str, count: int) -> list[Instruction]:
    """`count` instructions from the first one of the assembly on, as the disassembler names them."""
    lines = [line.split(":", 1) for line in told.splitlines() if ":" in line]
    places = [int(address, 16) for address, _ in lines]
    all_found = [tuple(text.replace(",", " ").split()) for _, text in lines]
    plain = [_plain(one) for one in all_found]
    first = plain.index(_FIRST)
    numbers = {address: number - first for number, address in enumerate(places)}
    return [
        tuple(f"#{numbers[int(o, 16)]}" if o.startswith("0x") and int(o, 16) in numbers else o for o in one)
        for one in plain[first : first + count]
    ]


def _plain(found: Instruction) -> Instruction:
    """Without what an assembler chooses: how wide an instruction is, and that a wide `mov` is an `or`."""
    name, *operands = found
    if name == "or" and operands[1] == operands[2]:
        return ("mov", *operands[:2])
    return (name.removesuffix(".n"), *operands)
