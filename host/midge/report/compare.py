"""Two reports side by side: what became better or worse, and whether it is past its limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from midge.errors import SettingsError
from midge.report.facts import compiler_words
from midge.report.limits import METRICS, Limit
from midge.report.record import Report

Verdict = Literal["ok", "failed", "no data", "no limit"]
_MOST_LAYERS = 5


class Row(msgspec.Struct, frozen=True):
    """One figure, old and new; `difference` is new - old, in the figure's unit.

    Verdicts: `ok` within its limit (or better), `failed` past it, `no data` limited but missing in a report (which
    fails: what cannot be checked must not pass), `no limit`.
    """

    name: str
    unit: str
    old: float | None
    new: float | None
    difference: float | None
    limit: str | None
    verdict: Verdict

    @property
    def is_failure(self) -> bool:
        """Whether this row makes the comparison fail."""
        return self.verdict in ("failed", "no data")


class LayerRow(msgspec.Struct, frozen=True):
    """Cycles of a layer that both reports have."""

    name: str
    old: int
    new: int


class Comparison(msgspec.Struct, frozen=True):
    """All figures, the layers whose cycles changed most, and what makes the comparison doubtful.

    `model`, `board`, `core`, `counts` (what the cycles are), `latency_is` and `compiler` are those of the new report.
    """

    passed: bool
    model: str
    board: str
    core: str
    counts: str
    latency_is: str | None
    compiler: str
    rows: tuple[Row, ...]
    layers: tuple[LayerRow, ...]
    warnings: tuple[str, ...]

    @property
    def failures(self) -> tuple[Row, ...]:
        """Rows past their limit, or limited and without data."""
        return tuple(row for row in self.rows if row.is_failure)


def compare(old: Report, new: Report, limits: Mapping[str, Limit], *, anyway: bool = False) -> Comparison:
    """Compare `new` with `old`; a figure fails when it became worse by more than its limit.

    Names of `limits` are those of `limits.METRICS`. Different compilers, clocks, files of one model or samples are
    warnings.

    Raises:
        SettingsError: the reports are of different models, boards, cores or kinds of count, and not `anyway`.
    """
    apart = _what_sets_apart(old, new)
    if apart and not anyway:
        raise SettingsError(
            "these reports cannot be compared: " + "; ".join(apart),
            hint="compare runs of one model on one board, or say that the difference is meant: --anyway",
        )
    rows = tuple(_row(name, old, new, limits.get(name)) for name in METRICS)
    warnings = (*apart, *_what_casts_doubt(old, new))
    passed = not any(row.is_failure for row in rows)
    return Comparison(
        passed=passed,
        model=new.model.name,
        board=new.board,
        core=new.core,
        counts=new.clock.kind,
        latency_is=new.latency_is,
        compiler=_compiler(new),
        rows=rows,
        layers=_changed_layers(old, new),
        warnings=warnings,
    )


def comparison_json(comparison: Comparison) -> str:
    """The comparison as indented JSON, without a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(comparison), indent=2).decode()


def _row(name: str, old: Report, new: Report, limit: Limit | None) -> Row:
    metric = METRICS[name]
    before, after = metric.read(old), metric.read(new)
    words = None if limit is None else str(limit)
    if before is None or after is None:
        return Row(name, metric.unit, before, after, None, words, "no limit" if limit is None else "no data")
    difference = after - before
    verdict: Verdict = "no limit"
    if limit is not None:
        loss = -difference if metric.more_is_better else difference
        verdict = "ok" if limit.allows(loss, before) else "failed"
    return Row(name, metric.unit, before, after, difference, words, verdict)


def _what_sets_apart(old: Report, new: Report) -> list[str]:
    """Differences that make figures meaningless side by side. A model is known by its file or by its name."""
    pairs = {
        "board": (old.board, new.board),
        "core": (old.core, new.core),
        "counts": (old.clock.kind, new.clock.kind),
    }
    if old.model.sha256 != new.model.sha256:
        pairs["model"] = (old.model.name, new.model.name)
    return _differences(pairs)


def _what_casts_doubt(old: Report, new: Report) -> list[str]:
    doubts = _differences(
        {
            "compiler": (_compiler(old), _compiler(new)),
            "flags": (" ".join(old.toolchain.flags), " ".join(new.toolchain.flags)),
            "precision": (old.precision, new.precision),
            "clock in Hz": (old.clock.hz, new.clock.hz),
            "wait states": (old.clock.wait_states, new.clock.wait_states),
            "basis of the counts": (old.clock.basis, new.clock.basis),
        }
    )
    if old.accuracy is not None and new.accuracy is not None:
        doubts += _differences(
            {
                "metric of accuracy": (old.accuracy.metric, new.accuracy.metric),
                "samples of accuracy": (old.accuracy.samples, new.accuracy.samples),
            }
        )
    if old.model.name == new.model.name and old.model.sha256 != new.model.sha256:
        doubts.append(f"the file of model {old.model.name} changed")
    return doubts


def _compiler(report: Report) -> str:
    return compiler_words(report.toolchain.compiler, report.toolchain.version)


def _differences(pairs: Mapping[str, tuple[object, object]]) -> list[str]:
    return [f"{what}: {old} before, {new} now" for what, (old, new) in pairs.items() if old != new]


def _changed_layers(old: Report, new: Report) -> tuple[LayerRow, ...]:
    """The layers whose cycles changed, the largest change first; names that occur twice are left out."""
    before, after = _cycles_by_layer(old), _cycles_by_layer(new)
    changed = [
        LayerRow(name, before[name], after[name]) for name in before if before[name] != after.get(name, before[name])
    ]
    return tuple(sorted(changed, key=lambda layer: -abs(layer.new - layer.old))[:_MOST_LAYERS])


def _cycles_by_layer(report: Report) -> dict[str, int]:
    names = [layer.name for layer in report.cycles.per_layer]
    return {
        layer.name: layer.cycles
        for layer in report.cycles.per_layer
        if layer.cycles is not None and names.count(layer.name) == 1
    }
