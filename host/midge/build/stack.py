"""How deep the stack can get below a function: read from the image's own instructions, so that inline assembly and the
C library count too, and from the compiler's -fstack-usage where that says more.

Thumb code alone. A function's frame is the sum of all that its instructions take off the stack pointer, whether or not
they are on one path: never less than the truth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from midge.build.image import Image, Symbol
from midge.errors import MissingExtraError

_LIST = re.compile(r"\{(.*)\}")
_SUB = re.compile(r"sp, (?:sp, )?#(0x[0-9a-f]+|\d+)$")
_WRITE_BACK = re.compile(r"\[sp, #-(0x[0-9a-f]+|\d+)\]!$")
_TARGET = re.compile(r"#0x([0-9a-f]+)$")
_LITERAL = re.compile(r"\[pc, #(0x[0-9a-f]+|\d+)\]$")
_LITERAL_BYTES = 4
_CONDITIONS = "eq|ne|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|al"
_BRANCH = re.compile(rf"(?:bl?|blx)(?:{_CONDITIONS})?$|cbn?z$")


def worst_stack_bytes(image: Image, function: str, frames: Mapping[str, int] | None = None) -> int | None:
    """Bytes of stack that one call of `function` can take with all that it calls; None when that cannot be told.

    `frames` are the compiler's own figures, by function (see `read_frames`). It cannot be told when a function recurs,
    calls through a pointer, or moves the stack pointer by a computed amount.
    """
    by_address = {f.address: f for f in image.functions}
    known: dict[int, int | None] = {}

    def depth(address: int, path: tuple[int, ...]) -> int | None:
        if address in path or address not in by_address:
            return None
        if address not in known:
            frame, calls = _frame_and_calls(image, by_address[address], by_address)
            below = [depth(callee, (*path, address)) for callee in calls]
            said = (frames or {}).get(by_address[address].name, 0)
            whole = [max(frame, said) if frame is not None else None, max_or_none(below)]
            known[address] = None if None in whole else sum(part for part in whole if part is not None)
        return known[address]

    return depth(image.symbol(function).address, ())


def max_or_none(values: Iterable[int | None]) -> int | None:
    """The largest value, 0 for none at all; None when one is not known."""
    seen = list(values)
    return None if None in seen else max((v for v in seen if v is not None), default=0)


def read_frames(folder: Path) -> Mapping[str, int]:
    """What -fstack-usage wrote into the .su files of `folder`: bytes of each function's frame."""
    frames: dict[str, int] = {}
    for file in sorted(folder.rglob("*.su")):
        for line in file.read_text(errors="replace").splitlines():
            place, *rest = line.split("\t")
            if len(rest) == 2 and rest[0].isdigit():
                name = place.rpartition(":")[2]
                frames[name] = max(frames.get(name, 0), int(rest[0]))
    return frames


def _frame_and_calls(image: Image, function: Symbol, functions: Mapping[int, Symbol]) -> tuple[int | None, set[int]]:
    """Bytes that the function takes off the stack (None: computed), and the functions that it calls or jumps to."""
    frame = 0
    calls: set[int] = set()
    for name, operands in _instructions(image, function):
        taken = _taken_bytes(name, operands)
        if taken is None or (name.startswith("blx") and not operands.startswith("#")):
            return None, calls
        frame += taken
        target = _TARGET.search(operands) if _BRANCH.match(name.split(".")[0]) else None
        if target is not None:
            address = int(target.group(1), 16) & ~1
            within = function.address <= address < function.address + function.bytes
            if not within or (name.startswith("bl") and address == function.address):
                owner = image.function_at(address)
                calls.add(owner.address if owner is not None else address)
    return frame, calls


def _taken_bytes(name: str, operands: str) -> int | None:
    """How far an instruction moves the stack pointer down; None for a computed amount."""
    stem = name.split(".")[0]
    if stem in ("push", "vpush") or (stem in ("stmdb", "vstmdb") and operands.startswith("sp!")):
        listed = _LIST.search(operands)
        registers = listed.group(1).split(",") if listed else []
        return sum(8 if r.strip().startswith("d") else 4 for r in registers)
    if stem in ("sub", "subw") and operands.startswith("sp,"):
        amount = _SUB.match(operands)
        return int(amount.group(1), 0) if amount else None
    written_back = _WRITE_BACK.search(operands)
    return int(written_back.group(1), 0) if written_back else 0


def _instructions(image: Image, function: Symbol) -> Iterator[tuple[str, str]]:
    """(mnemonic, operands) of a function. Literals lie behind the loads that read them, and are stepped over."""
    try:
        import capstone
    except ImportError as error:
        raise MissingExtraError(
            "reading code needs the capstone package", hint='pip install "midge[emulator]"'
        ) from error
    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    code, at = image.code(function), 0
    literals: set[int] = set()
    while at < len(code):
        address = function.address + at
        if address in literals:
            at += _LITERAL_BYTES
            continue
        found = next(decoder.disasm_lite(code[at : at + 4], address, 1), None)
        if found is None:
            at += 2
            continue
        _, size, name, operands = found
        if loaded := _LITERAL.search(operands):
            literals.add((address & ~3) + 4 + int(loaded.group(1), 0))
        yield name, operands
        at += size
