"""docs/accuracy.md from docs/accuracy.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accuracy_tasks import TASKS, VARIANT_TITLES
from tables import table

from midge.tune.ladder import RUNGS

_HEAD = """# Accuracy

Made by `make accuracy`; do not edit. Samples of split 0, which nothing was trained, calibrated, tuned or chosen on; the
answers are those of the integer interpreter, which defines what the C computes.

*Lost* is the paired difference to the float network on the same samples, in points, with its 95 % interval (Bonett and
Price); a limit is met when the point estimate meets it, or when the difference is one sample. *Constants* are the bytes
`flash.const_bytes` of the linked Cortex-M4F firmware (`--optimize size`). *On the core*: values that differ from the
interpreter's on the emulated core, over the first {samples} samples.
"""
_RUNGS = """## What each rung gains

The mean squared error of the network's outputs on the tuning samples; a rung that raises it is left out again
(in brackets).
"""
_TIMES = """## What the steps take

On the keywords' network with {samples} samples to calibrate on: seconds of processor time in one thread on the computer
where this page was made. *Float runs* is the same beside one run of the float network by midge's interpreter, which
says more about another computer.

"""


def page(record: Mapping[str, Any]) -> str:
    """The whole page."""
    rows = record["rows"]
    samples = max((r["on_the_core"]["samples"] for r in rows.values() if "on_the_core" in r), default=0)
    parts = [_HEAD.format(samples=samples)]
    parts += [_task_section(name, rows) for name in TASKS if f"{name}/float" in rows]
    parts.append(_rung_section(rows))
    if "times" in record:
        parts.append(_time_section(record["times"]))
    return "\n".join(parts)


def verdict(row: Mapping[str, Any]) -> str:
    """What is lost, and whether that is little enough, in words."""
    if "points" not in row:
        return ""
    lost = f"{row['points']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]"
    if row["met"] is None:
        return lost
    return f"{lost}, {limit(row)}: {'met' if row['met'] else 'NOT met'}"


def limit(row: Mapping[str, Any]) -> str:
    """What may be lost, or must be."""
    if "must_lose" in row:
        return f"over {row['must_lose']:g}"
    return "" if row["limit"] is None else f"at most {row['limit']:g}"


def _met(row: Mapping[str, Any]) -> str:
    if row["met"] is None:
        return ""
    if "half_of" in row and 2 * row["const_bytes"] > row["half_of"]:
        return "**no**: more constants"
    return "yes" if row["met"] else "**no**"


def _task_section(name: str, rows: Mapping[str, Any]) -> str:
    exact = rows[f"{name}/float"]
    lines = [["float", f"{exact['percent']:.2f} %", "", "", "", "", "", ""]]
    for variant in (v for v in (*VARIANT_TITLES, *TASKS[name].others) if f"{name}/{v}" in rows):
        row = rows[f"{name}/{variant}"]
        lines.append(
            [
                VARIANT_TITLES.get(variant, variant),
                f"{row['percent']:.2f} %",
                f"{row['points']:+.2f}",
                f"{row['low']:+.2f} to {row['high']:+.2f}",
                limit(row),
                _met(row),
                f"{row['const_bytes']:,}" if "const_bytes" in row else "",
                str(row["on_the_core"]["mismatches"]),
            ]
        )
    heads = ["", "right", "lost", "95 % interval", "may lose", "met", "constants", "on the core"]
    return f"## {TASKS[name].title} ({exact['samples']} samples)\n\n" + table(heads, lines)


def _rung_section(rows: Mapping[str, Any]) -> str:
    lines = []
    for key, row in rows.items():
        if "rungs" not in row:
            continue
        found = {r["rung"]: f"{r['error']:.3g}" if r["kept"] else f"({r['error']:.3g})" for r in row["rungs"]}
        lines.append([key.replace("/", ", "), *(found.get(rung, "") for rung in RUNGS)])
    what = "\n".join(f"- *{rung}*: {title}" for rung, (title, _) in RUNGS.items())
    return f"{_RUNGS}\n{what}\n\n" + table(["", *RUNGS], lines)


def _time_section(found: Mapping[str, Any]) -> str:
    lines = [
        [name, f"{step['seconds']:.1f}", "" if step["limit"] is None else str(step["limit"]), f"{step['float_runs']:,}"]
        for name, step in found["steps"].items()
    ]
    return _TIMES.format(**found) + table(["step", "seconds", "may take", "float runs"], lines)
