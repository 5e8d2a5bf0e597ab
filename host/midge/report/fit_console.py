"""`midge fit` for people: one line a board, then what the figures stand on, and what would make the others fit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from midge.report.figures import count, duration, percent, printable
from midge.report.page import plain_text, print_page
from midge.tune.every_board import BoardFit

_WIDE = 64


def print_fits(fits: Sequence[BoardFit], console: Console) -> None:
    """Print them in the console's width; where the console is no terminal, as plain text."""
    print_page(partial(_page, fits), console)


def fits_text(fits: Sequence[BoardFit], width: int = 80, ascii_only: bool = False) -> str:
    """The same as plain text with no line longer than `width`."""
    return plain_text(partial(_page, fits), width, ascii_only)


def _page(fits: Sequence[BoardFit], width: int, ascii_only: bool) -> RenderableType:
    blocks: list[RenderableType] = [_table(fits, ascii_only)] if width >= _WIDE else _lines(fits, ascii_only)
    if advice := [(f.board.name, f.advice) for f in fits if f.advice]:
        blocks += [Text(""), Text("What would make it fit", style="bold"), *_notes(advice, ascii_only)]
    blocks += [Text(""), Text("Latency: one inference on the emulated core", style="bold")]
    blocks += _notes(list(dict.fromkeys(_stands_on(f) for f in fits)), ascii_only)
    if any(f.lower_bound for f in fits):
        blocks += _notes([(">=", "the wait states of the board's flash come on top")], ascii_only)
    return Group(*blocks)


def _table(fits: Sequence[BoardFit], ascii_only: bool) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("board", no_wrap=True)
    table.add_column("fits", no_wrap=True)
    for title in ("flash, B", "", "RAM, B", "", "latency"):
        table.add_column(title, justify="right", no_wrap=True)
    for fit in fits:
        about = "" if fit.sizes == "linked" else "~"
        sizes = (
            *(f"{about}{count(fit.flash_bytes)}", percent(fit.flash_bytes, fit.board.flash_bytes)),
            *(f"{about}{count(fit.ram_bytes)}", percent(fit.ram_bytes, fit.board.ram_bytes)),
        )
        style = "" if fit.fits else "red"
        name = printable(fit.board.name, ascii_only)
        table.add_row(*(Text(cell) for cell in (name, "yes" if fit.fits else "no", *sizes, _latency(fit))), style=style)
    return table


def _lines(fits: Sequence[BoardFit], ascii_only: bool) -> list[RenderableType]:
    """The table where it has no room: a board's name whole, and below it what there is to say."""
    blocks: list[RenderableType] = []
    for fit in fits:
        about = "" if fit.sizes == "linked" else "~"
        verdict = "fits" if fit.fits else "does not fit"
        facts = f"{about}{count(fit.flash_bytes)} B flash, {about}{count(fit.ram_bytes)} B RAM, {_latency(fit)}"
        blocks.append(Text(f"{printable(fit.board.name, ascii_only)}: {verdict}", style="" if fit.fits else "red"))
        blocks.append(Padding(Text(facts), (0, 0, 0, 2)))
    return blocks


def _latency(fit: BoardFit) -> str:
    if fit.latency_us is not None:
        return (">= " if fit.lower_bound else "") + duration(fit.latency_us)
    return "-" if fit.instructions is None else f"{count(fit.instructions)} instr."


def _stands_on(fit: BoardFit) -> tuple[str, str]:
    """What was run, and where sizes and latency come from; the board's own wait states have a line for all."""
    sizes = "" if fit.sizes == "linked" else "; sizes (~) are estimated"
    return fit.ran or fit.board.core.name, fit.basis.split("; without the ")[0] + sizes


def _notes(notes: Sequence[tuple[str, str]], ascii_only: bool) -> list[RenderableType]:
    return [Padding(Text(printable(f"{name}: {words}", ascii_only)), (0, 0, 0, 2)) for name, words in notes]
