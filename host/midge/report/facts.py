"""A report as facts in words, the same on a terminal and on a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from midge.report.figures import count, duration, percent
from midge.report.record import Accuracy, Clock, Exact, Flash, Ram, Report


@dataclass(frozen=True)
class Fact:
    """One figure: what it is called, the figure with its unit, and what it is or stands on. Parts are indented."""

    label: str
    figure: str
    words: str = ""
    is_part: bool = False
    style: str = ""


def heading(report: Report) -> tuple[str, str, str]:
    """What ran where, of which file, made by which compiler."""
    tools = report.toolchain
    return (
        f"{report.model.name}, {report.precision}, on {report.board} ({report.core})",
        f"{count(report.model.macs)} MACs, sha256 {report.model.sha256[:16]}, midge {report.midge_version}",
        f"{compiler_words(tools.compiler, tools.version)}: {' '.join(tools.flags)}"
        if tools.flags
        else f"compiler {tools.compiler}: {tools.version}",
    )


def time_facts(report: Report) -> Iterator[Fact]:
    """How long one inference takes, and what the counts are."""
    clock = report.clock
    if report.latency_us is not None:
        style = "yellow" if report.latency_is == "lower bound" else ""
        yield Fact("latency", duration(report.latency_us), f"{report.latency_is}{_why(clock)}", style=style)
    if report.latency is not None:
        spread, runs = report.latency, count(report.latency.runs)
        yield Fact("min", duration(spread.min_us), f"of {runs} runs", is_part=True)
        yield Fact("p99", duration(spread.p99_us), f"99 % of {runs} runs took no longer", is_part=True)
    if report.cycles.total is not None:
        yield Fact("cycles", count(report.cycles.total), _stands_on(clock))
    if report.instructions.total is not None:
        words = clock.basis if clock.kind == "instructions" else ""
        yield Fact("instructions", count(report.instructions.total), words)
    layers = report.cycles.per_layer
    if layers and all(layer.kernel_is_reported for layer in layers):
        yield Fact("kernels", f"{count(len(layers))} layers", "as the firmware names them over the link")


def _stands_on(clock: Clock) -> str:
    """What was counted, and what that stands on."""
    basis = clock.basis
    if basis.startswith(clock.kind):
        return basis
    # "modelled cycles: model, validated" would say one thing twice.
    if clock.kind == "modelled cycles" and basis.startswith(("model, ", "model: ")):
        return clock.kind + basis.removeprefix("model")
    return f"{clock.kind}: {basis}"


def _why(clock: Clock) -> str:
    """What stands behind the word for the latency."""
    rate = f" at {clock.hz / 1e6:g} MHz"
    if clock.chip_wait_states is None or clock.wait_states >= clock.chip_wait_states:
        return rate
    return f"{rate}: counted with {clock.wait_states} wait states, the chip's flash has {clock.chip_wait_states}"


def flash_facts(flash: Flash | None) -> Iterator[Fact]:
    """Flash by what uses it; nothing where nothing was built."""
    if flash is None:
        return
    yield Fact("flash", _bytes(flash.total_bytes), _of(flash.total_bytes, flash.available_bytes))
    yield Fact("code", _bytes(flash.code_bytes), "the model's kernels and runtime", is_part=True)
    yield Fact("const", _bytes(flash.const_bytes), "weights, biases, multipliers, tables", is_part=True)
    yield Fact("harness", _bytes(flash.harness_bytes), "start-up, protocol, libc", is_part=True)


def ram_facts(ram: Ram | None) -> Iterator[Fact]:
    """RAM by what uses it; nothing where nothing was built."""
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


def check_facts(exact: Exact, accuracy: Accuracy | None) -> Iterator[Fact]:
    """What differs from the reference, and the accuracies."""
    samples = f"{count(exact.samples)} sample{'' if exact.samples == 1 else 's'}"
    compared = f"of {count(exact.values)} values in {samples}, against {exact.against}"
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


def _bytes(value: int) -> str:
    return f"{value:,} B"


def _of(used: int, available: int | None) -> str:
    return "" if available is None else f"{percent(used, available)} of {count(available)} B"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} %"


def compiler_words(name: str, version: str) -> str:
    """Name and version; most compilers begin what they say of their version with their name."""
    return version if version.startswith(name) else f"{name} {version}"
