"""What a search tries next: first what each layer by itself costs, then what an exact programme makes of that.

A recipe is {part: value}; `options` has the values of each part, the plain one first. Recipes that differ from the
plain one in one part tell what that part adds in error, flash and cycles. Those very nearly add up, so that the
programme (midge.tune.programme) knows the whole front of recipes before they are measured; from it proposals are taken,
spread evenly from the most accurate to the smallest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf

from midge.tune.programme import Choice, best_sets
from midge.tune.recipe import Measured

Options = Mapping[str, tuple[str, ...]]
Recipe = Mapping[str, str]
Key = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Budgets:
    """The most that a recipe may take: bytes of flash and RAM, cycles, and points of accuracy lost."""

    flash_bytes: float = inf
    ram_bytes: float = inf
    cycles: float = inf
    drop: float = inf

    def hold(self, found: Measured) -> bool:
        """Whether `found` keeps to all of them."""
        within = found.flash_bytes <= self.flash_bytes and found.ram_bytes <= self.ram_bytes
        return within and found.cycles <= self.cycles and found.drop <= self.drop


def key(recipe: Recipe) -> Key:
    """What makes two recipes the same."""
    return frozenset(recipe.items())


def plain(options: Options) -> dict[str, str]:
    """The recipe of first values."""
    return {part: values[0] for part, values in options.items()}


def single_changes(options: Options) -> list[dict[str, str]]:
    """The recipes that differ from the plain one in one part."""
    return [{**plain(options), part: value} for part, values in options.items() for value in values[1:]]


def next_recipe(
    options: Options, done: Mapping[Key, Measured], taken: Collection[Key], budgets: Budgets
) -> dict[str, str] | None:
    """The next recipe that is not `taken` (measured, under way, or known to be impossible); None when out of ideas."""
    first = (plain(options), *single_changes(options))
    foreseen = [] if any(key(r) not in taken for r in first) else _foreseen(options, done, budgets)
    return next((recipe for recipe in (*first, *foreseen) if key(recipe) not in taken), None)


def _foreseen(options: Options, done: Mapping[Key, Measured], budgets: Budgets) -> list[dict[str, str]]:
    """The front that the single changes foretell within the budgets, or without them when nothing keeps to them."""
    base = done.get(key(plain(options)))
    if base is None:
        return []
    known = {part: _known(options, done, part) for part in options}
    parts = tuple(tuple(_added(base, found) for _, found in values) for values in known.values())
    left = (budgets.flash_bytes - base.flash_bytes, budgets.cycles - base.cycles)
    sets = _solved(parts, left) or _solved(parts, (inf, inf))
    recipes = [
        {part: values[pick][0] for (part, values), pick in zip(known.items(), found.picks, strict=True)}
        for found in sets
    ]
    return [recipes[i] for i in spread(len(recipes))]


# The same question comes up before each trial.
_solved = lru_cache(maxsize=4)(best_sets)


def _known(options: Options, done: Mapping[Key, Measured], part: str) -> list[tuple[str, Measured]]:
    base = plain(options)
    tried = ((value, done.get(key({**base, part: value}))) for value in options[part])
    return [(value, found) for value, found in tried if found is not None]


def _added(base: Measured, found: Measured) -> Choice:
    costs = (float(found.flash_bytes - base.flash_bytes), float(found.cycles - base.cycles))
    return Choice(found.error - base.error, costs)


def spread(count: int) -> Sequence[int]:
    """0 to count - 1 so that each stretch from the beginning covers all of it evenly: ends first, then middles."""
    order = dict.fromkeys([0, count - 1] if count else [])
    parts = 2
    while len(order) < count:
        order.update(dict.fromkeys(round(i * (count - 1) / parts) for i in range(1, parts)))
        parts *= 2
    return tuple(order)
