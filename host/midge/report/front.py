"""The front of a search for people: a table, and a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from rich.table import Table

from midge.boards import Board
from midge.errors import MissingExtraError, SettingsError
from midge.tune.proposals import Budgets
from midge.tune.search import Found, Loss

# So few layers are called by their names.
_FEW = 3


def widths(found: Found) -> str:
    """Which layers have which width: `weights int8, int4: dense; activations int8`. The most frequent width is that of
    all layers that are not named; where many have another, their number stands for them."""
    kinds: dict[str, dict[str, list[str]]] = {}
    for part, value in sorted(found.recipe.items()):
        kind, _, layer = part.partition(".")
        kinds.setdefault(kind, {}).setdefault(value, []).append(layer)
    parts = []
    for kind, values in sorted(kinds.items(), reverse=True):
        usual, *others = sorted(values, key=lambda value: -len(values[value]))
        named = [
            f"{v}: {', '.join(values[v]) if len(values[v]) <= _FEW else f'{len(values[v])} layers'}" for v in others
        ]
        parts.append(", ".join([f"{kind} {usual}", *named]))
    return "; ".join(parts)


def front_table(
    found: Sequence[Found],
    chosen: Found | None,
    board: Board,
    labelled: bool,
    words: Callable[[Found], str] = widths,
    what: str = "layers",
) -> Table:
    """Recipes in their order, each in `words`; an arrow at the chosen one."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    in_time = board.twin.timing.kind != "instructions"
    lost = "points lost" if labelled else "answers changed %"
    for name in (lost, "squared error", "flash", "const", "RAM", board.twin.timing.kind, *(["ms"] if in_time else [])):
        table.add_column(name, justify="right")
    table.add_column(what)
    for one in found:
        m = one.measured
        figures = [f"{m.drop:+.2f}", f"{m.error:.3g}", *(f"{n:,}" for n in (m.flash_bytes, m.const_bytes, m.ram_bytes))]
        time = [f"{1e3 * m.cycles / board.clock_hz:.2f}"] if in_time else []
        table.add_row("→" if one is chosen else "", *figures, f"{m.cycles:,}", *time, words(one))
    return table


def plot_front(
    path: Path,
    found: Sequence[Found],
    front: Sequence[Found],
    chosen: Found | None,
    board: Board,
    budgets: Budgets,
    loss: Loss = "error",
) -> None:
    """Write a picture: flash against loss on the left, cycles on the right; its format is the file's ending.

    Raises MissingExtraError without matplotlib, SettingsError when the file cannot be written.
    """
    figure = _figure()
    panels = figure.subplots(1, 2, sharey=True)
    scale = 1e3 / board.clock_hz if board.twin.timing.kind != "instructions" else 1.0
    _panel(panels[0], found, front, chosen, "flash_bytes", 1 / 1024, budgets.flash_bytes, loss)
    _panel(panels[1], found, front, chosen, "cycles", scale, budgets.cycles, loss)
    panels[0].set_xlabel("flash of the network, KB")
    panels[1].set_xlabel("latency, ms" if scale != 1.0 else "instructions")
    panels[0].set_ylabel("mean squared error against float" if loss == "error" else "points lost")
    panels[0].legend(fontsize=8)
    figure.suptitle(f"{len(found)} recipes on {board.name}, {board.twin.timing.kind}", fontsize=10)
    try:
        figure.savefig(path)
    except (OSError, ValueError) as problem:
        raise SettingsError(
            f"{path} cannot be written: {problem}", hint="a .png or .svg that you may write"
        ) from problem


def _panel(
    axes: Any,
    found: Sequence[Found],
    front: Sequence[Found],
    chosen: Found | None,
    cost: str,
    scale: float,
    most: float,
    loss: Loss,
) -> None:
    def lost(one: Found) -> float:
        return max(one.measured.error, 1e-12) if loss == "error" else one.measured.drop

    def points(some: Sequence[Found]) -> tuple[list[float], list[float]]:
        return [getattr(f.measured, cost) * scale for f in some], [lost(f) for f in some]

    axes.scatter(*points(found), s=12, color="0.75", label="tried")
    best: list[Found] = []
    for one in sorted(front, key=lambda f: (getattr(f.measured, cost), lost(f))):
        if not best or lost(one) < lost(best[-1]):
            best.append(one)
    axes.scatter(*points(front), s=16, color="tab:blue", label="on the front")
    axes.plot(*points(best), drawstyle="steps-post", color="tab:blue", linewidth=1)
    if chosen is not None:
        axes.scatter(*points([chosen]), s=120, marker="*", color="tab:red", zorder=3, label="chosen")
    if isfinite(most):
        axes.axvline(most * scale, color="tab:red", linestyle="--", linewidth=1, label="budget")
    axes.set_yscale("log" if loss == "error" else "symlog")
    axes.grid(alpha=0.3)


def _figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise MissingExtraError(
            "the plot of a search needs matplotlib, which is not installed", hint='pip install "midge[search]"'
        ) from problem
    return Figure(figsize=(10, 4.5), dpi=120, layout="constrained")
