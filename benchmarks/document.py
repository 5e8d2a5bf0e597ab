"""docs/benchmarks.md from results.json and peers.toml."""

from __future__ import annotations

from typing import Any

from avr import avr_section, recorded
from small_cores import TITLES, small_core_section
from tables import figure, ratio, table

_HEAD = """# Benchmarks

Made by `make bench` from `benchmarks/results.json`; do not edit. One inference of each network, every output value
compared with goldens of TensorFlow Lite's reference kernels ({samples} samples a row, {mismatches} values differ).

Compiler: {compiler}.
The model's C is compiled with -O3 for `--optimize speed` and with -Os for `size`. Memories never make a core wait.
*Instructions* are counted exactly. *Cycles* come from a model of the core and stand on this table. In them unaligned
loads cost what the core asks for; *unchecked* accesses, whose address the same block had just loaded, are taken to be
aligned. *Live* MACs are those left when channels that never change are removed.

{bases}"""
_CORES = {
    "cortex-m4f": "Cortex-M4F",
    "cortex-m7": "Cortex-M7",
    "cortex-m33": "Cortex-M33",
    "cortex-m3": "Cortex-M3",
    "cortex-m0plus": "Cortex-M0+",
}
_MEMORY = """Bytes on Cortex-M4F. *RAM* is all that the model keeps (arena, scratch, statics); *bound* is what the
chosen kernels need at least at one time, whatever the plan. *Constants* beside *needed*: the weights, biases and tables
that are left when channels that never change are removed, and a multiplier and a shift per channel. The *stack* is the
high-water mark of all firmware, protocol included.
"""
_HOST = """`midge compile`, the command from start to end: time relative to the smallest net (chains of 3x3 depthwise
and 1x1 convolutions of 64 channels; best of three runs).
"""


def document(results: dict[str, Any], peers: dict[str, Any]) -> str:
    """The whole page."""
    rows = results["rows"]
    parts = [_head(rows)]
    parts += [_core_section(core, rows, peers) for core in _CORES if any(r["core"] == core for r in rows)]
    parts += [small_core_section(core, rows, peers) for core in TITLES if any(r["core"] == core for r in rows)]
    parts += [avr_section(recorded(), peers), _memory_section(rows, peers), _profile_section(rows, peers)]
    if results["host"]:
        parts.append(_host_section(results["host"]))
    return "\n".join(parts)


def _head(rows: list[dict[str, Any]]) -> str:
    speed = [row for row in rows if row["optimize"] == "speed"]
    bases = {row["core"]: (row["basis"], " ".join(row["flags"])) for row in speed}
    lines = [[(_CORES | TITLES)[core], basis, f"`{flags}`"] for core, (basis, flags) in bases.items()]
    return _HEAD.format(
        samples=max(row["samples"] for row in rows),
        mismatches=sum(row["mismatches"] for row in rows),
        compiler="; ".join(sorted({row["compiler"] for row in rows})),
        bases=table(["core", "cycles are", "flags"], lines),
    )


def _core_section(core: str, rows: list[dict[str, Any]], peers: dict[str, Any]) -> str:
    found = {row["model"]: row for row in rows if row["core"] == core and row["optimize"] == "speed"}
    models = [model for model in peers["models"] if model in found]
    ours = [found[model] for model in models]
    limits = peers["limits"].get(core, {})
    lines = [["**midge, cycles**", *(f"**{row['cycles']:,}**" for row in ours)]]
    for key, name in (("must_reach", "must reach"), ("aim_for", "aim for")):
        if key in limits:
            lines.append([name, *(figure(limits[key].get(model)) for model in models)])
            lines.append([f"midge / {name}", *(ratio(found[m]["cycles"], limits[key].get(m)) for m in models)])
    lines.append(["cycles per MAC", *(f"{row['cycles'] / row['macs']:.2f}" for row in ours)])
    lines.append(["cycles per live MAC", *(f"{row['cycles'] / row['live_macs']:.2f}" for row in ours)])
    lines.append(["instructions", *(f"{row['instructions']:,}" for row in ours)])
    lines.append(["unaligned / unchecked", *(f"{r['unaligned_loads']:,} / {r['unchecked_accesses']:,}" for r in ours)])
    lines.append(["MACs", *(f"{row['macs']:,}" for row in ours)])
    lines.append(["live MACs", *(f"{row['live_macs']:,}" for row in ours)])
    lines.append(["code, bytes", *(f"{row['code_bytes']:,}" for row in ours)])
    lines.append(["constants, bytes", *(f"{row['const_bytes']:,}" for row in ours)])
    lines.append(["RAM, bytes", *(f"{row['ram_bytes']:,}" for row in ours)])
    others = [peer for peer in peers["peers"] if peer["core"] == core]
    lines += [[peer["name"], *(figure(peer["cycles"].get(model)) for model in models)] for peer in others]
    titles = [peers["models"][model]["title"] for model in models]
    sources = "".join(f"\n- {peer['name']}: {peer['source']}" for peer in others)
    notes = f"\nPeers, in cycles:\n{sources}\n" if others else ""
    return f"## {_CORES[core]}, `--optimize speed`\n\n" + table(["", *titles], lines) + notes


def _memory_section(rows: list[dict[str, Any]], peers: dict[str, Any]) -> str:
    limits, tflm = peers["limits"]["memory"], peers["tflm_memory"]
    lines = []
    for row in rows:
        if row["core"] != "cortex-m4f":
            continue
        model, size = row["model"], row["optimize"] == "size"
        ram = limits["ram_bytes_size"].get(model)
        code = limits["code_bytes_size"].get(model) if size else limits["code_bytes_speed"]
        lines.append(
            [
                f"{peers['models'][model]['title']}, {row['optimize']}",
                _against(row["code_bytes"], code),
                f"{row['const_bytes']:,}",
                f"{row['live_const_bytes']:,}",
                _against(row["ram_bytes"], ram if size or ram is None else ram + 8192),
                f"{row['arena_lower_bound_bytes']:,}",
                _against(row["stack_bytes"], limits["stack_bytes"]),
            ]
        )
    heads = ["", "code (limit)", "constants", "needed", "RAM (limit)", "bound", "stack (limit)"]
    peer = [[peers["models"][m]["title"], *(figure(tflm[key].get(m)) for key in tflm)] for m in tflm["code_bytes"]]
    beside = table(["TFLM + CMSIS-NN", "code", "model file", "arena", "stack"], peer)
    return "## Flash and RAM\n\n" + _MEMORY + "\n" + table(heads, lines) + "\n" + beside


def _profile_section(rows: list[dict[str, Any]], peers: dict[str, Any]) -> str:
    """Where the cycles of the Cortex-M4F go."""
    lines = []
    for row in rows:
        if (row["core"], row["optimize"]) != ("cortex-m4f", "speed"):
            continue
        title = peers["models"][row["model"]]["title"]
        for part in row["kernels"]:
            if part["cycles"] * 100 < row["cycles"]:
                continue
            each = f"{part['cycles'] / part['macs']:.2f}" if part["macs"] else ""
            share = f"{100 * part['cycles'] / row['cycles']:.0f} %"
            kernel = f"{part['op']} / {part['kernel']}"
            lines.append([title, kernel, str(part["layers"]), f"{part['cycles']:,}", share, each])
    heads = ["", "operator / kernel", "layers", "cycles", "share", "per MAC"]
    return "## Where the cycles go, Cortex-M4F\n\n" + table(heads, lines)


def _host_section(host: list[dict[str, Any]]) -> str:
    lines = [
        [
            row["net"],
            f"{row['file_bytes']:,}",
            f"{row['time_ratio']:.1f}",
            "yes" if row["under_3_seconds"] else "no",
            "yes" if row["under_500_megabytes"] else "no",
        ]
        for row in host
    ]
    return (
        "## What compiling costs\n\n"
        + _HOST
        + "\n"
        + table(["net", "file bytes", "time", "under 3 s", "under 500 MB"], lines)
    )


def _against(value: int, limit: int | None) -> str:
    if limit is None:
        return f"{value:,}"
    return f"{value:,} ({limit:,}{', missed' if value > limit else ''})"
