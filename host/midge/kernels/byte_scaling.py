"""What the assembly for AVR needs to know of a scaling by products of bytes (midge.kernels.byte_products)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.byte_products import ByteProducts

# So many pairs of a table behind the window are worth the comparison with its end.
_MOST_BEHIND = 256
# What is near a window's start: an eighth of it.
_NEAR = 3
# What an index into a table takes, where 16 bits reach it.
_STEPPED_WORDS = 12


def scaling(
    found: ByteProducts, least: Array, most: Array, sum_bytes: int, registers: dict[str, tuple[int, ...]] | None
) -> dict[str, object]:
    """How sums least..most become outputs, as templates/kernels/avr_scale.j2 reads it; without registers by literals.

    `low` and `high` are the outputs at the ends of the window, None where channels differ; `less_top` is what is taken
    from the total for the highest bit of u; `literal` are the instructions that make the total; `is_often_low` says
    that sums about zero are about the window's start.
    """
    form = found.form
    is_low, is_high = least < found.starts, most - found.starts > found.lasts
    # Code that compares with the end takes the end itself for what lies behind it.
    meets_end = most - found.starts >= found.lasts
    top = -int(found.factors[0]) % (1 << 32)
    return {
        "sum_bytes": sum_bytes,
        "width": form.width,
        "split": form.split,
        "kept": form.kept,
        "products": form.multiplied,
        "top_bit": form.top_bit,
        "less_top": tuple(top >> 8 * b & 255 for b in range(4)),
        "low": _one_of(found.apply(np.broadcast_to(found.starts, least.shape))[is_low]),
        "high": _one_of(found.apply(np.broadcast_to(found.starts + found.lasts, least.shape))[meets_end]),
        "steps": None,
        "factor_bytes": form.factor_bytes,
        "addend_bytes": found.addend_bytes,
        "below_bytes": found.below_bytes,
        "record": tuple(int(v) for v in found.records[0]) if registers is None else None,
        "literal": _literal(found) if registers is None else (),
        "record_bytes": found.records.shape[1],
        "clip_low": bool(is_low.any()),
        "clip_high": bool(is_high.any()),
        "is_often_low": bool((found.starts > -(found.lasts >> _NEAR)).any()),
        "registers": registers,
    }


def _literal(found: ByteProducts) -> tuple[str, ...]:
    """The instructions by which r16 and on become u (in r20 and on, within its window) times the factor of channel 0,
    plus the addend. A byte is written to when the first carry can reach it: low products come first."""
    form, count = found.form, found.addend_bytes
    last, factor = int(found.lasts[0]), int(found.factors[0])
    lines: list[str] = []
    written = greatest = loaded = 0
    for i, j in sorted(form.multiplied, key=lambda pair: (sum(pair), pair[1])):
        byte, at = factor >> 8 * j & 255, i + j - form.kept
        product = min(last >> 8 * i, 255) * byte
        if product == 0:
            continue
        lines += [] if byte == loaded else [f"ldi r24, {byte}"]
        lines.append(f"mul r{20 + i}, r24")
        loaded = byte
        greatest += product << 8 * at if at >= 0 else product >> 8
        sources = {b: f"r{b - at}" for b in range(max(at, 0), min(at + 2, count))}
        reached = min(max((greatest.bit_length() + 7) // 8, at + 2), count)
        lines += [f"clr r{16 + b}" for b in range(written, min(sources))]
        if written > min(sources):
            lines += [f"clr r{16 + b}" for b in range(written, reached)]
            added = range(min(sources), reached)
            lines += [f"{'adc' if b > added[0] else 'add'} r{16 + b}, {sources.get(b, 'r23')}" for b in added]
        elif at % 2 == 0 and len(sources) == 2:
            lines.append(f"movw r{16 + at}, r0")
        else:
            lines += [f"mov r{16 + b}, {source}" for b, source in sources.items()]
        written = max(written, max(sources) + 1, reached if written > min(sources) else 0)
    lines += [f"clr r{16 + b}" for b in range(written, count)]
    less = -int(found.addends[0]) % (1 << 8 * count)
    begin = next((b for b in range(count) if less >> 8 * b & 255), count)
    lines += [f"{'sbci' if b > begin else 'subi'} r{16 + b}, {less >> 8 * b & 255}" for b in range(begin, count)]
    return tuple(lines)


@dataclass(frozen=True)
class Steps:
    """For each 256 sums from a window's start on: at which the output rises by one, in a byte, and the output before
    (one less when it rises at none). `is_whole` says that every sum is in the table, not only the window."""

    pairs: tuple[int, ...]
    is_whole: bool


def steps_table(found: ByteProducts, most: int) -> Steps | None:
    """The table of channel 0, whose sums are at most `most`; None where an output rises twice within 256 sums."""
    last, greatest = int(found.lasts[0]), most - int(found.starts[0])
    is_whole = greatest // 256 - last // 256 <= _MOST_BEHIND
    u = np.arange(((greatest if is_whole else last) // 256 + 1) * 256)
    outputs = found.apply(found.starts[0] + np.minimum(u, last)[:, None])[:, 0].reshape(-1, 256)
    first = outputs[:, 0]
    if (np.diff(outputs) < 0).any() or (outputs[:, -1] > first + 1).any():
        return None
    rises = (outputs == first[:, None]).sum(axis=1)
    pairs = np.stack([rises % 256, np.where(rises < 256, first, first - 1) & 255], axis=1)
    return Steps(tuple(int(v) for v in pairs.reshape(-1)), is_whole)


def _one_of(outputs: Array) -> int | None:
    """What all are, if they are the same."""
    return int(outputs[0]) if len(outputs) and (outputs == outputs[0]).all() else None


def literal_words(f: Mapping[str, Any]) -> int:
    """Words of code that templates/kernels/avr_scale.j2 makes of a scaling with a literal record."""
    record, width, words = f["record"], f["width"], 0
    if f["clip_high"]:
        words = 3 + sum(2 if 0 < b < width and record[b] else 1 for b in range(f["sum_bytes"]))
    words += 4 if f["clip_low"] else 0
    return int(words + (_STEPPED_WORDS if f["steps"] else _scaled_words(f)))


def _scaled_words(f: Mapping[str, Any]) -> int:
    """From u to the output."""
    added, kept = f["addend_bytes"], f["kept"]
    words = len(f["literal"]) + (2 * f["width"] + added if f["below_bytes"] else 0)
    words += 2 + added - 2 + kept if f["top_bit"] else 0
    return int(words + 2 * min(f["split"] % 8, -f["split"] % 8))
