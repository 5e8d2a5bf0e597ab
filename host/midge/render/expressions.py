"""Index arithmetic as C text without what does nothing: no `+ 0`, no `* 1`, no `- -3`.

An expression is a string or an int; a variable whose loop has one iteration is the int 0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Expression = str | int


def c_index(variable: str, count: int) -> Expression:
    """A loop variable, or 0 when its loop runs once and is left out."""
    return variable if count > 1 else 0


def c_sum(*parts: Expression) -> Expression:
    """The sum of the parts; ints are added up and come last."""
    names = [part for part in parts if isinstance(part, str)]
    constant = sum(part for part in parts if isinstance(part, int))
    if not names:
        return constant
    if constant:
        names.append(str(abs(constant)))
    text = " + ".join(names[:-1] if constant else names)
    return f"{text} {'-' if constant < 0 else '+'} {names[-1]}" if constant else text


def c_product(expression: Expression, factor: int) -> Expression:
    """expression * factor, with parentheses around a sum; a literal factor that is there already is joined."""
    if isinstance(expression, int):
        return expression * factor
    if factor in (0, 1):
        return expression if factor else 0
    if (product := _PRODUCT.fullmatch(expression)) and not _is_sum(expression):
        return f"{product[1]} * {int(product[2]) * factor}"
    return f"{c_term(expression)} * {factor}"


def c_term(expression: Expression) -> str:
    """The expression as a factor: in parentheses when it is a sum or negative."""
    text = str(expression)
    return f"({text})" if _is_sum(text) or text.startswith("-") else text


def c_dot(variables: Sequence[str], factors: Sequence[int]) -> Expression:
    """The sum of each variable times its factor."""
    return c_sum(*(c_product(v, f) for v, f in zip(variables, factors, strict=True)))


_PRODUCT = re.compile(r"(.+) \* (\d+)")
_BRACKETS = re.compile(r"[(\[][^()\[\]]*[)\]]")


def _is_sum(text: str) -> bool:
    """Whether an addition or subtraction is left once brackets are taken out, innermost first."""
    while (outer := _BRACKETS.sub("", text)) != text:
        text = outer
    return " + " in text or " - " in text
