"""How a page reaches its reader: laid out for a terminal, or as plain text for files, pipes and logs."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

from rich.console import Console, RenderableType

Page = Callable[[int, bool], RenderableType]
"""Lays a page out for a width in cells; the second argument asks for ASCII alone."""


def print_page(page: Page, console: Console) -> None:
    """Print in the console's width: with styles on a terminal, as plain text anywhere else."""
    width, ascii_only = console.width, console.options.ascii_only
    if console.is_terminal:
        # The caller's console may leave wrapping to the reader; a table has to know its width.
        console.print(page(width, ascii_only), soft_wrap=False, highlight=False)
    else:
        console.out(plain_text(page, width, ascii_only), end="", highlight=False)


def plain_text(page: Page, width: int, ascii_only: bool = False) -> str:
    """The page without styles and trailing blanks, no line longer than `width`."""
    text = StringIO()
    console = Console(file=text, width=width, color_system=None, force_terminal=False)
    console.print(page(width, ascii_only), highlight=False)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"
