"""Sections of docs/benchmarks.md for cores whose peers are known by instructions: cycles of such a core are a model
that nobody has validated, or there are none. A core joins by a title here and its peers and limits in peers.toml."""

from __future__ import annotations

from typing import Any

from tables import figure, ratio, table

TITLES = {"rv32imc": "RV32IMC (ESP32-C3 class)", "xtensa-lx6": "Xtensa LX6 (ESP32)"}
_NOTES = {
    "rv32imc": "Instructions are counted exactly.",
    "xtensa-lx6": """Instructions are counted by QEMU on a relative of the ESP32's core (de212), with some ten of the
harness; MAC16 and zero-overhead loops are used. There are no cycles: of this core there is not even a model that nobody
has validated. Its upper half of a product that relative has not, so that it is not used either. The vector
instructions of the ESP32-S3 stay out until something can run them: no emulator here does.""",
}
_CYCLES = " The cycles are a model that nobody has validated."


def small_core_section(core: str, rows: list[dict[str, Any]], peers: dict[str, Any]) -> str:
    """Instructions beside limits and peers, then what else is known of each network."""
    found = {row["model"]: row for row in rows if row["core"] == core and row["optimize"] == "speed"}
    models = [model for model in peers["models"] if model in found]
    ours = [found[model] for model in models]
    lines = [["**midge, instructions**", *(f"**{row['instructions']:,}**" for row in ours)]]
    limits = peers["limits"].get(core, {}).get("must_reach", {})
    if limits:
        lines.append(["must reach", *(figure(limits.get(model)) for model in models)])
        lines.append(["midge / must reach", *(ratio(found[m]["instructions"], limits.get(m)) for m in models)])
    lines.append(["instructions per MAC", *(f"{row['instructions'] / row['macs']:.2f}" for row in ours)])
    lines.append(["instructions per live MAC", *(f"{row['instructions'] / row['live_macs']:.2f}" for row in ours)])
    has_cycles = all(row["cycles"] is not None for row in ours)
    if has_cycles:
        lines.append(["cycles (model, unvalidated)", *(f"{row['cycles']:,}" for row in ours)])
    for name, key in (("code", "code_bytes"), ("constants", "const_bytes"), ("RAM", "ram_bytes")):
        lines.append([f"{name}, bytes", *(f"{row[key]:,}" for row in ours)])
    others = [peer for peer in peers["peers"] if peer["core"] == core]
    for peer in others:
        theirs = peer["instructions"]
        lines.append([peer["name"], *(figure(theirs.get(model)) for model in models)])
        lines.append(["midge / that", *(_share(found[model]["instructions"], theirs.get(model)) for model in models)])
    titles = [peers["models"][model]["title"] for model in models]
    sources = "".join(f"\n- {peer['name']}: {peer['source']}" for peer in others)
    notes = f"\nPeers, in instructions:\n{sources}\n" if others else ""
    head = f"## {TITLES[core]}, `--optimize speed`\n\n{_NOTES[core]}{_CYCLES if has_cycles else ''}\n\n"
    return head + table(["", *titles], lines) + notes


def _share(value: int, of: int | None) -> str:
    return "" if of is None else f"{value / of:.2f}"
