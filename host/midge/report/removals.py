"""What the optimizer took out of a network and why that is safe: for people, and as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from midge.passes.constant_channels import Removal

WHY_CONSTANT = (
    "one value: no input that there can be gives the channel another (proven by bounds on every value); what it adds "
    "to the next layer is in that layer's bias"
)
WHY_UNREAD = (
    "never read: every weight that reads the channel is zero, or makes a channel that has one value or is never read"
)


def removal_facts(removals: Sequence[Removal]) -> list[dict[str, Any]]:
    """One record per layer that lost something: the fields of Removal, `constant` as {"channel", "value"}."""
    return [
        asdict(r) | {"constant": [{"channel": c, "value": v} for c, v in r.constant], "unread": list(r.unread)}
        for r in removals
    ]


def print_removals(console: Console, removals: Sequence[Removal], macs: int, live_macs: int) -> None:
    """How many of the file's `macs` are live, and layer by layer what went."""
    if not removals:
        console.print(f"All {macs:,} MACs are live: no channel is constant or unread.")
        return
    channels = sum(len(r.constant) + len(r.unread) for r in removals)
    parameters = sum(r.parameters for r in removals)
    console.print(
        f"{live_macs:,} of {macs:,} MACs are live; {channels:,} channels and {parameters:,} parameters that no output "
        "depends on are removed, every output keeps its bytes."
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("layer", overflow="fold")
    for title in ("channels", "one value", "never read", "MACs saved", "parameters saved"):
        table.add_column(title, justify="right")
    for r in removals:
        numbers = (r.channels, len(r.constant), len(r.unread), r.macs, r.parameters)
        table.add_row(r.layer, *(f"{n:,}" for n in numbers))
    console.print(table)
    for why, some in ((WHY_CONSTANT, any(r.constant for r in removals)), (WHY_UNREAD, any(r.unread for r in removals))):
        if some:
            console.print(why)
