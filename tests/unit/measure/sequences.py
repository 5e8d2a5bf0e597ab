"""Assembler sequences with their cycles counted by hand, one count and its reason behind each instruction.

    ldr r0, [r1]    @ 2  a load alone
    bne .           @ 1 or 3  not taken, or taken

A sequence costs the sum of its counts; the last line may have two, for both ways out of it.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from elftools.elf.elffile import ELFFile

from midge.build.toolchain import Toolchain

_COUNTS = re.compile(r"@ (\d+)(?: or (\d+))?\s+\S")


def counted(sequence: str) -> tuple[int, int]:
    """The cycles when execution goes on behind the sequence, and when its last instruction branches away."""
    found = [_COUNTS.search(line) for line in _lines(sequence)]
    assert all(found), f"a line without a count and its reason: {sequence}"
    counts = [(int(m[1]), int(m[2] or m[1])) for m in found if m]
    assert all(a == b for a, b in counts[:-1]), "only the last line may have two counts"
    return sum(a for a, _ in counts), sum(b for _, b in counts)


def assemble(sequences: list[str], toolchain: Toolchain, folder: Path) -> list[bytes]:
    """The machine code of each sequence, beginning at a word. Label 9 is a word somewhere behind it."""
    text = [".syntax unified", ".thumb"]
    for number, sequence in enumerate(sequences):
        text += [f'.section .text.case_{number}, "ax"', ".balign 4", *_lines(sequence), f"end_{number}:"]
        text += [".space 8", ".balign 4", "9:"]
    source, made = folder / "sequences.s", folder / "sequences.o"
    source.write_text("\n".join(text) + "\n")
    command = [*toolchain.command, *toolchain.flags, "-c", str(source), "-o", str(made)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with made.open("rb") as file:
        elf = ELFFile(file)
        symbols = elf.get_section_by_name(".symtab")
        # Sections are padded to whole words: the label says where the code ends.
        ends = [symbols.get_symbol_by_name(f"end_{n}")[0]["st_value"] & ~1 for n in range(len(sequences))]
        return [elf.get_section_by_name(f".text.case_{n}").data()[:end] for n, end in enumerate(ends)]


def _lines(sequence: str) -> list[str]:
    return [line.strip() for line in sequence.strip().splitlines()]
