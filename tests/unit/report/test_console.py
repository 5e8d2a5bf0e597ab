"""A report on terminals of several widths, and with no terminal."""

from io import StringIO

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from midge.report.console import print_report, report_text
from midge.report.record import LayerCycles
from report_examples import LAYERS, REPORT, changed


@pytest.mark.parametrize("width", [40, 60, 69, 70, 80, 132])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(cell_len, report_text(REPORT, width).splitlines())) <= width


@pytest.mark.parametrize("width", [40, 80])
def test_every_figure_is_there(width: int) -> None:
    text = report_text(REPORT, width)
    for fact in (
        "nucleo_l4r5zi", "arm-none-eabi-gcc 12.2.1", "-O2",
        "conv_1", "Conv2D smlad" if width == 40 else "smlad", "320,000", "640,123", "2.00", "63.9%",
        "1,001,000", "(between layers)", "804,000", "8.342 ms",
        "67,500 B", "9,000 B", "52,000 B", "6,500 B", "17,704 B", "16,000 B", "488 B", "high-water mark",
        "91.58 %", "91.38 %", "top-1 accuracy", "5,988",
    ):  # fmt: skip
        assert fact in text


def test_a_layer_is_one_line_with_its_share() -> None:
    line = next(line for line in report_text(REPORT, 80).splitlines() if line.startswith("conv_1"))
    assert line.split() == ["conv_1", "Conv2D", "smlad", "320,000", "640,123", "2.00", "63.9%", "███▎"]


def test_a_latency_without_the_chips_wait_states_is_called_a_lower_bound() -> None:
    assert "lower bound at 120 MHz: counted with 0 wait states" in " ".join(report_text(REPORT, 132).split())


def test_a_latency_with_all_wait_states_is_not_called_a_lower_bound() -> None:
    latency = next(line for line in report_text(changed(latency_is="measured")).splitlines() if "latency" in line)
    assert "measured" in latency
    assert "lower bound" not in latency


def test_instructions_are_never_shown_as_time() -> None:
    counted = changed(
        clock={"kind": "instructions", "basis": "an emulator without a cycle model"},
        cycles={"total": None, "per_layer": tuple(msgspec.structs.replace(x, cycles=None) for x in LAYERS)},
        latency_us=None,
        latency_is=None,
    )
    text = report_text(counted)
    assert "latency" not in text
    assert "500,000" in text
    assert "an emulator without a cycle model" in text


def test_layers_without_counts_are_listed_all_the_same() -> None:
    bare = tuple(msgspec.structs.replace(layer, cycles=None) for layer in LAYERS)
    assert "softmax" in report_text(changed(cycles={"per_layer": bare}))


def test_an_arena_above_the_bound_says_by_how_much() -> None:
    assert "1,000 above the lower bound" in report_text(changed(ram={"arena_lower_bound_bytes": 15_000}))


def test_what_a_network_remembers_is_a_part_of_the_arena() -> None:
    assert "activations and 4,096 of state" in report_text(changed(ram={"state_bytes": 4_096}))


def test_mismatches_come_with_the_largest_difference() -> None:
    assert "largest difference 3" in report_text(changed(exact={"mismatches": 7, "max_difference": 3.0}), 132)


def test_without_labels_there_is_no_accuracy() -> None:
    assert "no labeled data" in report_text(changed(accuracy=None))


def test_a_pipe_gets_no_escape_codes() -> None:
    pipe = StringIO()
    print_report(REPORT, Console(file=pipe, width=80, soft_wrap=True))
    assert "\x1b" not in pipe.getvalue()
    assert pipe.getvalue() == report_text(REPORT, 80)


def test_a_terminal_gets_styles() -> None:
    terminal = StringIO()
    print_report(REPORT, Console(file=terminal, width=80, force_terminal=True, color_system="standard"))
    assert "\x1b[" in terminal.getvalue()


def test_a_terminal_without_unicode_gets_ascii() -> None:
    text = report_text(changed(model={"name": "modèle"}), 80, ascii_only=True)
    assert text.isascii()
    assert "###" in text


@pytest.mark.parametrize("width", [40, 80])
def test_names_from_a_hostile_file_stay_harmless(width: int) -> None:
    evil = LayerCycles(name="\x1b[2J\n[red]x[/red]\u202e", op="[/]", kernel="k\t", macs=1, cycles=1)
    wide = LayerCycles(name="層" * 60, op="層" * 60, kernel="層" * 60, macs=1, cycles=1)
    text = report_text(changed(cycles={"per_layer": (evil, wide)}), width)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert max(map(cell_len, text.splitlines())) <= width


@pytest.mark.parametrize("width", [40, 132])
def test_of_thousands_of_layers_the_costliest_are_shown_and_the_others_summed(width: int) -> None:
    many = tuple(
        msgspec.structs.replace(LAYERS[0], name=f"step_{i}", macs=1, cycles=100 + i, instructions=50)
        for i in range(2000)
    )
    total = sum(layer.cycles or 0 for layer in many)
    text = report_text(changed(cycles={"total": total, "per_layer": many}), width)
    lines = text.splitlines()
    assert len(lines) < 250
    assert [
        name for name in ("step_1959", "step_1960", "step_1999") if any(line.startswith(name) for line in lines)
    ] == [
        "step_1960",
        "step_1999",
    ]
    assert f"{sum(100 + i for i in range(1960)):,}" in text
    assert f"{total:,}" in text
