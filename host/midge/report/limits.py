"""How much worse a figure may become: `cycles=5%,flash=2%,accuracy=0.5`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite

from midge.errors import SettingsError
from midge.report.record import Report


@dataclass(frozen=True)
class Limit:
    """What a figure may lose: `amount` in percent of the old figure, or in the figure's own unit."""

    amount: float
    is_percent: bool = False

    def __str__(self) -> str:
        return f"{self.amount:g}%" if self.is_percent else f"{self.amount:g}"

    def allows(self, loss: float, old: float) -> bool:
        """Whether a figure that was `old` may become worse by `loss` (negative: it became better)."""
        allowed = self.amount * abs(old) / 100 if self.is_percent else self.amount
        # Differences of decimal fractions are off by some 1e-16: 91.6 - 91.1 is more than 0.5.
        return loss <= allowed + 1e-9 * max(1.0, abs(old))


@dataclass(frozen=True)
class Metric:
    """A figure of a report that can be limited; `read` gives None where the report does not have it.

    `in_percent` says whether a percentage of the old figure makes sense as a limit; accuracy is in points, and of no
    mismatches at all there is no percentage.
    """

    unit: str
    read: Callable[[Report], float | None]
    more_is_better: bool = False
    in_percent: bool = True


def _accuracy(report: Report) -> float | None:
    """The device's accuracy, the figure that a user gets."""
    return None if report.accuracy is None else report.accuracy.device


METRICS: Mapping[str, Metric] = {
    "cycles": Metric("", lambda r: r.cycles.total),
    "instructions": Metric("", lambda r: r.instructions.total),
    "latency": Metric("us", lambda r: r.latency_us),
    "flash": Metric("B", lambda r: r.flash.total_bytes if r.flash else None),
    "ram": Metric("B", lambda r: r.ram.total_bytes if r.ram else None),
    "arena": Metric("B", lambda r: r.ram.arena_bytes if r.ram else None),
    "stack": Metric("B", lambda r: r.ram.stack_bytes if r.ram else None),
    "accuracy": Metric("%", _accuracy, more_is_better=True, in_percent=False),
    "mismatches": Metric("", lambda r: r.exact.mismatches, in_percent=False),
}
"""Every figure that `midge compare` shows, by the name that a limit is given to."""

_HINT = "NAME=LIMIT[,NAME=LIMIT...], each limit a percentage as in cycles=5% or a number as in accuracy=0.5"


def parse_limits(text: str) -> dict[str, Limit]:
    """Limits by metric from `cycles=5%,flash=2%,accuracy=0.5`.

    A percentage is of the old figure; a number is in the figure's unit (bytes, microseconds, points of accuracy).

    Raises:
        SettingsError: an unknown name, one given twice, a limit that is no number or below 0, or a percentage where
            none makes sense.
    """
    limits: dict[str, Limit] = {}
    for part in text.split(","):
        name, equals, amount = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise SettingsError(f"{part.strip()!r} is no limit", hint=_HINT)
        if name not in METRICS:
            raise SettingsError(f"there is no figure {name!r} to limit", hint="one of " + ", ".join(METRICS))
        if name in limits:
            raise SettingsError(f"{name} is limited twice", hint=_HINT)
        limits[name] = _parse_limit(name, amount)
    return limits


def _parse_limit(name: str, text: str) -> Limit:
    try:
        limit = Limit(float(text.removesuffix("%")), text.endswith("%"))
    except ValueError:
        raise SettingsError(f"{name}={text}: {text!r} is no number", hint=_HINT) from None
    if not isfinite(limit.amount) or limit.amount < 0:
        raise SettingsError(f"{name}={text}: a limit is a number from 0 up", hint=_HINT)
    if limit.is_percent and not METRICS[name].in_percent:
        hint = f"{name}={limit.amount:g}" + (" for points of percent" if METRICS[name].unit == "%" else "")
        raise SettingsError(f"{name}={text}: {name} is limited by a number, not by a percentage", hint=hint)
    return limit
