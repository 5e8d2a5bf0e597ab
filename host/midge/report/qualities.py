"""The table of `midge inspect --quant`: where a quantized network loses its accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

from rich.console import Console
from rich.table import Table

from midge.quantize.quality import LayerQuality, costliest

_BARS = " ▁▂▃▄▅▆▇█"


def print_qualities(console: Console, layers: Sequence[LayerQuality], samples: int) -> None:
    """One line a layer, and a sentence that names the layers that cost most."""
    table = Table(box=None, pad_edge=False, title=f"over {samples} samples", title_justify="left")
    table.add_column("layer", overflow="fold")
    table.add_column("operator")
    for title in ("SQNR", "alone", "range", "saturated", "dead"):
        table.add_column(title, justify="right")
    table.add_column("values, low to high")
    for q in layers:
        table.add_row(
            q.layer,
            q.kind,
            _decibels(q.sqnr_db),
            _decibels(q.alone_db),
            f"{100 * q.range_used:.0f} %",
            f"{100 * q.saturated:.2f} %",
            f"{q.dead_levels}",
            sparkline(q.histogram),
        )
    console.print(table)
    worst = costliest(layers)
    if worst:
        names = ", ".join(f"{q.layer} ({q.alone_db:.1f} dB)" for q in worst)
        console.print(f"The noise of their own is largest in {names}.", markup=False)


def quality_facts(layers: Sequence[LayerQuality]) -> list[dict[str, Any]]:
    """The same for `--json`; a layer without any error has no figure (null), as one that is not compared."""
    return [{k: None if isinstance(v, float) and not isfinite(v) else v for k, v in asdict(q).items()} for q in layers]


def sparkline(counts: Sequence[int]) -> str:
    """One block for each count, the largest full; a count that is not 0 is never blank."""
    most = max(counts, default=0)
    return "".join(_BARS[0 if n == 0 else max(1, round(n / most * (len(_BARS) - 1)))] for n in counts)


def _decibels(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} dB" if isfinite(value) else "exact"
