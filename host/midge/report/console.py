"""A report for people: on a terminal of any width, or as plain text where there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from midge.report.figures import count, duration, percent, printable
from midge.report.latency import latency_table
from midge.report.layers import layer_table
from midge.report.page import plain_text, print_page
from midge.report.record import Accuracy, Clock, Exact, Flash, Ram, Report, Toolchain

_WIDE = 70
_LABEL_WIDTH = 14
_FIGURE_WIDTH = 13


@dataclass(frozen=True)
class Fact:
    """One figure: what it is called, the figure with its unit, and what it is or stands on. Parts are indented."""

    label: str
    figure: str
    words: str = ""
    is_part: bool = False
    style: str = ""


def print_report(report: Report, console: Console) -> None:
    """Print `report` in the console's width; where the console is no terminal, as plain text."""
    print_page(partial(_page, report), console)


def report_text(report: Report, width: int = 80, ascii_only: bool = False) -> str:
    """The report as plain text with no line longer than `width`."""
    return plain_text(partial(_page, report), width, ascii_only)


def _page(report: Report, width: int, ascii_only: bool) -> RenderableType:
    blocks: list[RenderableType] = [_heading(report, ascii_only), layer_table(report, width, ascii_only)]
    if table := latency_table(report, width, ascii_only):
        blocks.append(table)
    sections = (_time(report), _flash(report.flash), _ram(report.ram), _checks(report.exact, report.accuracy))
    blocks += [_facts(facts, width, ascii_only) for section in sections if (facts := tuple(section))]
    spaced = [part for block in blocks for part in (block, Text(""))]
    return Group(*spaced[:-1])


def _heading(report: Report, ascii_only: bool) -> Text:
    tools = report.toolchain
    lines = (
        f"{report.model.name}, {report.precision}, on {report.board} ({report.core})",
        f"{count(report.model.macs)} MACs, sha256 {report.model.sha256[:16]}, midge {report.midge_version}",
        f"{_compiler(tools)}: {' '.join(tools.flags)}"
        if tools.flags
        else f"compiler {tools.compiler}: {tools.version}",
    )
    text = Text("\n".join(printable(line, ascii_only) for line in lines))
    text.stylize("bold", 0, len(lines[0]))
    return text


def _time(report: Report) -> Iterator[Fact]:
    clock = report.clock
    if report.latency_us is not None:
        style = "yellow" if report.latency_is == "lower bound" else ""
        yield Fact("latency", duration(report.latency_us), f"{report.latency_is}{_why(clock)}", style=style)
    if report.latency is not None:
        spread, runs = report.latency, count(report.latency.runs)
        yield Fact("min", duration(spread.min_us), f"of {runs} runs", is_part=True)
        yield Fact("p99", duration(spread.p99_us), f"99 % of {runs} runs took no longer", is_part=True)
    if report.cycles.total is not None:
        words = clock.basis if clock.basis.startswith(clock.kind) else f"{clock.kind}: {clock.basis}"
        yield Fact("cycles", count(report.cycles.total), words)
    if report.instructions.total is not None:
        words = clock.basis if clock.kind == "instructions" else ""
        yield Fact("instructions", count(report.instructions.total), words)
    layers = report.cycles.per_layer
    if layers and all(layer.kernel_is_reported for layer in layers):
        yield Fact("kernels", f"{count(len(layers))} layers", "as the firmware names them over the link")


def _why(clock: Clock) -> str:
    """What stands behind the word for the latency."""
    rate = f" at {clock.hz / 1e6:g} MHz"
    if clock.chip_wait_states is None or clock.wait_states >= clock.chip_wait_states:
        return rate
    return f"{rate}: counted with {clock.wait_states} wait states, the chip's flash has {clock.chip_wait_states}"


def _flash(flash: Flash | None) -> Iterator[Fact]:
    if flash is None:
        return
    yield Fact("flash", _bytes(flash.total_bytes), _of(flash.total_bytes, flash.available_bytes))
    yield Fact("code", _bytes(flash.code_bytes), "the model's kernels and runtime", is_part=True)
    yield Fact("const", _bytes(flash.const_bytes), "weights, biases, multipliers, tables", is_part=True)
    yield Fact("harness", _bytes(flash.harness_bytes), "start-up, protocol, libc", is_part=True)


def _ram(ram: Ram | None) -> Iterator[Fact]:
    if ram is None:
        return
    gap = ram.arena_bytes - ram.arena_lower_bound_bytes
    distance = "at its lower bound" if gap == 0 else f"{count(gap)} above the lower bound"
    worst = "" if ram.stack_worst_bytes is None else f"; one inference takes {count(ram.stack_worst_bytes)} at most"
    yield Fact("RAM", _bytes(ram.total_bytes), _of(ram.total_bytes, ram.available_bytes))
    kept = f" and {count(ram.state_bytes)} of state" if ram.state_bytes else ""
    yield Fact("arena", _bytes(ram.arena_bytes), f"activations{kept}, {distance}", is_part=True)
    yield Fact("scratch", _bytes(ram.scratch_bytes), "kernels, outside the arena", is_part=True)
    yield Fact("static", _bytes(ram.static_bytes), "what else the model keeps", is_part=True)
    stack = "-" if ram.stack_bytes is None else _bytes(ram.stack_bytes)
    yield Fact(
        "stack", stack, "not seen on a board" if ram.stack_bytes is None else f"high-water mark{worst}", is_part=True
    )
    yield Fact("harness", _bytes(ram.harness_bytes), "protocol, libc", is_part=True)


def _checks(exact: Exact, accuracy: Accuracy | None) -> Iterator[Fact]:
    compared = f"of {count(exact.values)} values in {count(exact.samples)} samples, against {exact.against}"
    largest = f"; largest difference {exact.max_difference:g}" if exact.mismatches else ""
    style = "red" if exact.mismatches else ""
    yield Fact("mismatches", count(exact.mismatches), compared + largest, style=style)
    if accuracy is None:
        yield Fact("accuracy", "-", "no labeled data")
        return
    yield Fact("accuracy", "", f"{accuracy.metric}, {count(accuracy.samples)} samples")
    yield Fact("float", _percent(accuracy.float_), "float model on the host", is_part=True)
    yield Fact("integer", _percent(accuracy.integer), "integer model on the host", is_part=True)
    yield Fact("device", _percent(accuracy.device), "this run", is_part=True)


def _facts(facts: Sequence[Fact], width: int, ascii_only: bool) -> RenderableType:
    """Facts under each other: words beside the figure where there is room, else below it."""
    if width >= _WIDE:
        return _columns([(*_label_and_figure(fact), _words(fact, ascii_only)) for fact in facts])
    blocks: list[RenderableType] = []
    for fact in facts:
        blocks.append(_columns([_label_and_figure(fact)]))
        if fact.words:
            blocks.append(Padding(_words(fact, ascii_only), (0, 0, 0, 4)))
    return Group(*blocks)


def _label_and_figure(fact: Fact) -> tuple[Text, Text]:
    label = Text(f"  {fact.label}") if fact.is_part else Text(fact.label, style="bold")
    return label, Text(fact.figure, style=fact.style)


def _words(fact: Fact, ascii_only: bool) -> Text:
    return Text(printable(fact.words, ascii_only), style=fact.style)


def _columns(rows: Sequence[tuple[Text, ...]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(min_width=_LABEL_WIDTH, no_wrap=True)
    table.add_column(min_width=_FIGURE_WIDTH, justify="right", no_wrap=True)
    table.add_column()
    for row in rows:
        table.add_row(*row)
    return table


def _bytes(value: int) -> str:
    return f"{value:,} B"


def _of(used: int, available: int | None) -> str:
    return "" if available is None else f"{percent(used, available)} of {count(available)} B"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} %"


def _compiler(tools: Toolchain) -> str:
    """Name and version; most compilers begin what they say of their version with their name."""
    return tools.version if tools.version.startswith(tools.compiler) else f"{tools.compiler} {tools.version}"
