"""How generated C is laid out: indentation by braces, and lines folded at the column limit."""

from __future__ import annotations

import re

WIDTH = 120
INDENT = 4

# What a line may not be broken inside of.
_TEXT = re.compile(r'"(?:\\.|[^"\\])*"')


def indent_blocks(text: str) -> str:
    """The lines of `text` indented by the braces around them, without blank ones, so that templates may nest freely.

    Raises ValueError when the braces do not match. Comments hold no brace and end on their line.
    """
    depth = 0
    lines = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        opening, closing = line.count("{"), line.count("}")
        level = depth - (line[0] == "}")
        depth += opening - closing
        if level < 0 or depth < 0:
            raise ValueError(f"a brace too many: {line}")
        lines.append(" " * (INDENT * level) + line)
    if depth:
        raise ValueError(f"{depth} braces are not closed")
    return "\n".join(lines)


def fold(text: str, width: int = WIDTH) -> str:
    """`text` with each line longer than `width` broken at a comma or another space; preprocessor lines stay.

    The rest is aligned to the parenthesis that it is in, where that leaves enough room, and else indented; a comment's
    rest goes beside ` * `.
    """
    return "\n".join(piece for line in text.split("\n") for piece in _fold_line(line, width))


def _fold_line(line: str, width: int) -> list[str]:
    code = line.lstrip()
    if len(line) <= width or not code or code.startswith("#"):
        return [line]
    margin = line[: len(line) - len(code)]
    if code.startswith("/*"):
        return _broken(line, margin + " * ", width)
    aligned = _broken(line, " " * _open_parenthesis(line, width), width)
    if all(len(piece) <= width for piece in aligned) and all(piece.endswith(",") for piece in aligned[:-1]):
        return aligned
    return _broken(line, margin + " " * (2 * INDENT), width)


def _broken(line: str, margin: str, width: int) -> list[str]:
    pieces = []
    while len(line) > width and (at := _break_before(line, width, len(margin))):
        pieces.append(line[:at].rstrip())
        line = margin + line[at:].lstrip()
    return [*pieces, line]


def _open_parenthesis(line: str, width: int) -> int:
    """The column after the last parenthesis that is open where `line` will be broken."""
    columns = []
    for i, ch in enumerate(line[: _break_before(line, width, 0)]):
        if ch == "(":
            columns.append(i + 1)
        elif ch == ")" and columns:
            columns.pop()
    return columns[-1] if columns else 0


def _break_before(line: str, width: int, least: int) -> int:
    """Where to break, at most `width`: after the last comma in the later half, else at the last space; 0: nowhere."""
    texts = [m.span() for m in _TEXT.finditer(line)]
    spaces = [
        i
        for i, ch in enumerate(line[: width + 1])
        if ch == " " and i > least and not any(start < i < end for start, end in texts)
    ]
    commas = [i for i in spaces if line[i - 1] == "," and i > width // 2]
    return max(commas or spaces, default=0)
