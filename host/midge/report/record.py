"""The report: one frozen record of everything that a run measured, and its JSON form.

A number says what it is: `clock.kind` names what was counted, `clock.basis` how far to trust it, `latency_is` what the
time derived from it is worth. Fields without data are null, never left out. docs/report.schema.json describes the same
for other programs; `python -m midge.report.schema` prints it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from midge import __version__
from midge.errors import DataError

SCHEMA_VERSION = 1
_MOST_JSON_BYTES = 64 * 2**20

Precision = Literal["int8", "int16x8", "mixed", "dynamic", "float", "as-is"]
ClockKind = Literal["modelled cycles", "exact cycles", "instructions", "seconds"]
LatencyIs = Literal["lower bound", "modelled", "exact", "measured"]

Count = Annotated[int, Meta(ge=0)]
Percent = Annotated[float, Meta(ge=0, le=100)]


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all parts of a report have in common: frozen, and strict about names."""


class Model(_Record, frozen=True, kw_only=True):
    """The model file."""

    name: Annotated[str, Meta(description="the file's name without its ending")]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="of the whole file")]
    macs: Annotated[int, Meta(ge=0, description="multiply-accumulates of one inference, as the model is written")]
    file_bytes: Annotated[int | None, Meta(description="size of the file")] = None


class Toolchain(_Record, frozen=True, kw_only=True):
    """The compiler that every figure of code and time depends on."""

    compiler: Annotated[str, Meta(description="name of the compiler, such as arm-none-eabi-gcc")]
    version: str
    flags: Annotated[tuple[str, ...], Meta(description="of the core, and of the model's code")]


class Clock(_Record, frozen=True, kw_only=True):
    """What was counted and at what rate it passes."""

    kind: Annotated[ClockKind, Meta(description="what the counts are")]
    basis: Annotated[str, Meta(description="one sentence: where the counts come from and how far to trust them")]
    hz: Annotated[int, Meta(ge=1, description="the core's clock in hertz")]
    wait_states: Annotated[int, Meta(ge=0, description="flash wait states that are part of the counts")]
    chip_wait_states: Annotated[int | None, Meta(description="flash wait states of the chip at this clock")] = None


class Instructions(_Record, frozen=True, kw_only=True):
    """Instructions of one inference; null where nothing counts them (a real board)."""

    total: Count | None


class Latency(_Record, frozen=True, kw_only=True):
    """Microseconds over all runs, by the device's own clock, whose own reading is not part of them."""

    runs: Annotated[int, Meta(ge=1)]
    min_us: Annotated[float, Meta(ge=0)]
    median_us: Annotated[float, Meta(ge=0)]
    p99_us: Annotated[float, Meta(ge=0, description="99 of 100 runs took no longer")]


class LayerCycles(_Record, frozen=True, kw_only=True):
    """One layer, in the order of execution."""

    name: str
    op: Annotated[str, Meta(description="operator")]
    kernel: Annotated[str, Meta(description="the kernel variant that computes it")]
    kernel_is_reported: Annotated[bool, Meta(description="the firmware itself said so, over the link")] = False
    macs: Count
    cycles: Count | None
    instructions: Count | None = None
    latency: Annotated[Latency | None, Meta(description="how it varies; null: not timed")] = None
    const_bytes: Annotated[Count | None, Meta(description="its weights, biases, multipliers, tables")] = None
    packed: Annotated[str | None, Meta(description="width of its weights where they are packed")] = None


class FunctionCycles(_Record, frozen=True, kw_only=True):
    """One C function, without what it calls."""

    name: str
    cycles: Count | None
    instructions: Count | None = None


class Cycles(_Record, frozen=True, kw_only=True):
    """Cycles of one inference, the sample of median cost; `clock.kind` says what they are. Null: only instructions."""

    total: Annotated[int | None, Meta(description="the whole call, layers and what lies between them")]
    per_layer: tuple[LayerCycles, ...]
    per_function: tuple[FunctionCycles, ...] | None = None


class Flash(_Record, frozen=True, kw_only=True):
    """Bytes of flash by what uses them; the parts sum up to the total."""

    code_bytes: Annotated[int, Meta(ge=0, description="the model's kernels and runtime")]
    const_bytes: Annotated[int, Meta(ge=0, description="weights, biases, multipliers, tables")]
    harness_bytes: Annotated[int, Meta(ge=0, description="start-up, protocol, libc: no part of the model")]
    total_bytes: Count
    available_bytes: Annotated[int | None, Meta(description="flash of the board")] = None

    def __post_init__(self) -> None:
        if self.code_bytes + self.const_bytes + self.harness_bytes != self.total_bytes:
            raise ValueError("the parts of flash do not sum up to flash.total_bytes")


class Ram(_Record, frozen=True, kw_only=True):
    """Bytes of RAM by what uses them; arena, scratch, static, stack and harness sum up to the total."""

    arena_bytes: Annotated[int, Meta(ge=0, description="activations, and scratch that the planner put among them")]
    arena_lower_bound_bytes: Annotated[int, Meta(ge=0, description="no plan of this schedule has a smaller arena")]
    state_bytes: Annotated[int, Meta(ge=0, description="of the arena, what a network that remembers keeps")] = 0
    scratch_bytes: Annotated[int, Meta(ge=0, description="working memory of kernels outside the arena")]
    static_bytes: Annotated[int, Meta(ge=0, description="what else the model keeps")]
    stack_bytes: Annotated[int | None, Meta(description="high-water mark of the stack, measured; null: nobody saw it")]
    stack_worst_bytes: Annotated[
        int | None, Meta(description="one inference at most, from its code; null: unknown")
    ] = None
    stack_reserved_bytes: Annotated[int | None, Meta(description="stack set aside; not part of the total")] = None
    harness_bytes: Annotated[int, Meta(ge=0, description="protocol, libc: no part of the model")]
    total_bytes: Count
    available_bytes: Annotated[int | None, Meta(description="RAM of the board")] = None

    def __post_init__(self) -> None:
        known = (self.arena_bytes, self.scratch_bytes, self.static_bytes, self.stack_bytes or 0, self.harness_bytes)
        if sum(known) != self.total_bytes:
            raise ValueError("the parts of RAM do not sum up to ram.total_bytes")


class ArenaBuffer(_Record, frozen=True, kw_only=True):
    """A place in the arena, and the layers (positions in `cycles.per_layer`, both included) that it is kept for."""

    name: Annotated[str, Meta(description="the layer that writes it, or what else it is: input, state, scratch")]
    offset: Annotated[int, Meta(ge=0, description="bytes from the arena's start")]
    bytes: Annotated[int, Meta(ge=0)]
    first: Count
    last: Count

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError("a buffer of the arena ends before it begins")


class Exact(_Record, frozen=True, kw_only=True):
    """Output values that differ from the reference."""

    against: Annotated[str, Meta(description="the reference, in words")]
    samples: Count
    values: Annotated[int, Meta(ge=0, description="output values that were compared")]
    mismatches: Annotated[int, Meta(ge=0, description="values that differ; for float, by more than the tolerance")]
    max_difference: Annotated[float, Meta(ge=0, description="largest difference, in units of the output's type")]


class Accuracy(_Record, frozen=True, kw_only=True):
    """Accuracy in percent of the float model, of the integer model on the host, and of the device."""

    metric: Annotated[str, Meta(description="what the percentage is of")]
    samples: Annotated[int, Meta(ge=0, description="evaluated samples; none of them was used for calibration")]
    float_: Percent | None = msgspec.field(name="float")
    integer: Percent | None
    device: Percent | None


class Report(_Record, frozen=True, kw_only=True):
    """A run of one model on one board, emulated or real, as midge measured it."""

    schema_version: Literal[1] = 1
    midge_version: str = msgspec.field(default_factory=lambda: __version__)
    model: Model
    precision: Annotated[
        Precision, Meta(description="what the deployed network computes in; mixed: activations of 8 and of 16 bits")
    ]
    board: Annotated[str, Meta(description="name of the board, as `midge boards` lists it")]
    core: Annotated[str, Meta(description="name of its processor core")]
    toolchain: Toolchain
    clock: Clock
    instructions: Instructions
    cycles: Cycles
    latency_us: Annotated[float | None, Meta(description="one inference, in microseconds; null: not known")]
    latency_is: Annotated[LatencyIs | None, Meta(description="what latency_us is; null exactly when that is")]
    latency: Annotated[Latency | None, Meta(description="how it varies; null: not timed")] = None
    flash: Annotated[Flash | None, Meta(description="null: the board ran this model already, nothing was built")]
    ram: Annotated[Ram | None, Meta(description="null exactly when flash is")]
    arena: Annotated[
        tuple[ArenaBuffer, ...] | None, Meta(description="the plan of the arena; null: a report of an older midge")
    ] = None
    exact: Exact
    accuracy: Accuracy | None = None
    incomplete: Annotated[str | None, Meta(description="why not all samples ran; null: all did")] = None

    def __post_init__(self) -> None:
        if (self.latency_us is None) != (self.latency_is is None):
            raise ValueError("latency_us and latency_is are null together or not at all")
        if (self.flash is None) != (self.ram is None):
            raise ValueError("flash and ram are null together or not at all")


class _Header(msgspec.Struct):
    schema_version: int = 0


def latency_is(clock: Clock) -> LatencyIs | None:
    """What a time derived from this clock's counts is; None: instructions make no time.

    Counts without all the wait states that the chip has at this clock make a lower bound.
    """
    if clock.kind == "instructions":
        return None
    if clock.kind == "seconds":
        return "measured"
    if clock.chip_wait_states is not None and clock.wait_states < clock.chip_wait_states:
        return "lower bound"
    return "modelled" if clock.kind == "modelled cycles" else "exact"


def to_json(report: Report) -> str:
    """The report as indented JSON, without a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()


def from_json(text: str | bytes, source: str = "the report") -> Report:
    """The report in `text`; `source` names it in errors.

    Raises:
        DataError: not JSON, not a report, of another version, or with a field that is wrong (its path is named).
    """
    try:
        header = msgspec.json.decode(text, type=_Header)
        if header.schema_version != SCHEMA_VERSION:
            raise DataError(_foreign(source, header.schema_version), hint="make it again with `midge run ... --json`")
        return msgspec.json.decode(text, type=Report)
    except msgspec.ValidationError as error:
        raise DataError(f"{source} is no report of midge: {error}", hint="see docs/report.schema.json") from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise DataError(f"{source} is not JSON: {error}", hint="make it with `midge run ... --json`") from error


def read_report(path: Path) -> Report:
    """The report in the file at `path`. Raises DataError as `from_json` does, and for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_JSON_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}", hint="check the path") from error
    if len(text) > _MOST_JSON_BYTES:
        raise DataError(f"{path} is larger than any report", hint="make it with `midge run ... --json`")
    return from_json(text, str(path))


def _foreign(source: str, version: int) -> str:
    if version == 0:
        return f"{source} is no report of midge: it has no schema_version"
    return f"{source} is a report of version {version}; this midge ({__version__}) reads version {SCHEMA_VERSION}"
