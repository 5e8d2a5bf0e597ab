"""What the assembly for AVR needs to know of a scaling by products of bytes (midge.kernels.byte_products)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.byte_products import ByteProducts

# A conditional jump reaches 63 words.
_MOST_JUMPED = 60
# So many pairs of a table behind the window are worth the comparison with its end.
_MOST_BEHIND = 256
# What an index into a table takes, where 16 bits reach it.
_STEPPED_WORDS = 12


def scaling(
    found: ByteProducts, least: Array, most: Array, sum_bytes: int, registers: dict[str, tuple[int, ...]] | None
) -> dict[str, object]:
    """How sums least..most become outputs, as templates/kernels/avr_scale.j2 reads it; without registers by literals.

    `low` and `high` are the outputs at the ends of the window, None where channels differ; `less_top` is what is taken
    from the total for the highest bit of u; `is_out_of_two` says that u's third byte is zero within the window.
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
        "is_out_of_two": form.width == 2 and sum_bytes == 3 and bool(is_high.any()),
        "steps": None,
        "is_long": _words(found) > _MOST_JUMPED,
        "factor_bytes": form.factor_bytes,
        "addend_bytes": found.addend_bytes,
        "below_bytes": found.below_bytes,
        "record": tuple(int(v) for v in found.records[0]) if registers is None else None,
        "record_bytes": found.records.shape[1],
        "clip_low": bool(is_low.any()),
        "clip_high": bool(is_high.any()),
        "registers": registers,
    }


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


def _words(found: ByteProducts) -> int:
    """Words of code, at most, between the check whether u is in its window and the output, with a literal record."""
    form, added = found.form, found.addend_bytes
    below = 2 * form.width + 1 + added if found.below_bytes else 0
    top = 2 + added if form.top_bit else 0
    products = sum(1 + form.top - max(i + j, form.kept) + 1 for i, j in form.multiplied)
    return (
        2 * form.width + added + below + top + form.factor_bytes + products + 2 * min(form.split % 8, -form.split % 8)
    )


def literal_words(f: Mapping[str, Any]) -> int:
    """Words of code that templates/kernels/avr_scale.j2 makes of a scaling with a literal record."""
    record, width = f["record"], f["width"]

    def compared(count: int) -> int:
        return sum(2 if 0 < b < width and record[b] else 1 for b in range(count))

    if not f["is_long"]:
        words = 2 * f["clip_low"] + (1 if f["clip_low"] or f["is_out_of_two"] else 0)
        if f["clip_high"]:
            words += 2 + f["is_out_of_two"] + compared(2 if f["is_out_of_two"] else f["sum_bytes"])
        return int(words + (_STEPPED_WORDS if f["steps"] else _scaled_words(f)))
    ends = [(f["clip_low"], f["low"], 2), (f["clip_high"], f["high"], 1 + compared(f["sum_bytes"]))]
    words = sum(test + (2 if output is not None else width + 1) for clips, output, test in ends if clips)
    return int(words + _scaled_words(f))


def _scaled_words(f: Mapping[str, Any]) -> int:
    """From the addend to the output."""
    added, kept = f["addend_bytes"], f["kept"]
    words = added + (2 * f["width"] + added if f["below_bytes"] else 0) + (2 + added - 2 + kept if f["top_bit"] else 0)
    words += len({j for _, j in f["products"]})
    words += sum(1 + added - max(i + j - kept, 0) for i, j in f["products"])
    return int(words + 2 * min(f["split"] % 8, -f["split"] % 8))
