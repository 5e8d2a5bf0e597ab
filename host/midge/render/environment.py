"""Jinja environments: undefined names are errors, blocks leave no blank lines. One prints C."""

from __future__ import annotations

from functools import cache

import jinja2

from midge.render.expressions import c_dot, c_index, c_product, c_sum, c_term
from midge.render.literals import c_float, c_int, c_rows
from midge.resources import templates_dir


def new_environment(*, autoescape: bool) -> jinja2.Environment:
    """An environment over the templates folder, without filters of its own."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_dir()),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=autoescape,
    )


@cache
def environment() -> jinja2.Environment:
    """The one environment that prints C."""
    env = new_environment(autoescape=False)
    env.filters |= {"c_int": c_int, "c_float": c_float, "c_rows": c_rows, "c_comment": c_comment}
    env.globals |= {"c_dot": c_dot, "c_index": c_index, "c_product": c_product, "c_sum": c_sum, "c_term": c_term}
    return env


def c_comment(text: str) -> str:
    """Text that cannot end a comment or start one, on one line."""
    printable = "".join(ch if ch.isprintable() else " " for ch in text)
    return printable.replace("*/", "* /").replace("/*", "/ *").replace("\\", "/").replace("??", "? ?")
