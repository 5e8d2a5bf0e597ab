"""`midge fit`: its figures are those of a run, what does not fit says so, and its advice holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from midge.boards import load_board
from midge.build import toolchain as toolchain_module
from midge.cli import main
from midge.data import Dataset, load_data
from midge.errors import DoesNotFitError
from midge.importers import Imported, import_model
from midge.pipeline import compile_model, run_model
from midge.report.fit_console import fits_text
from midge.resources import boards_dir
from midge.run.devices import build_firmware
from midge.settings import Settings
from midge.tune.every_board import BoardFit, fit_boards

# One process: what the tests share is made once.
pytestmark = pytest.mark.xdist_group(__name__)

DIGITS = Path(__file__).parents[3] / "examples" / "digits" / "digits"
MODEL, DATA = DIGITS.with_suffix(".tflite"), DIGITS.with_suffix(".npz")
# Sizes and cycles do not depend on how much was calibrated on.
QUICK = Settings(calibration_samples=20)


@pytest.fixture(scope="module")
def imported() -> Imported:
    return import_model(MODEL)


@pytest.fixture(scope="module")
def data(imported: Imported) -> Dataset:
    return load_data(DATA, imported.graph)


@pytest.fixture(scope="module")
def both(imported: Imported, data: Dataset) -> tuple[BoardFit, ...]:
    return fit_boards(imported, QUICK, ["cortex-m4f", "nucleo_l4r5zi"], data)


@pytest.fixture
def bare_computer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither a compiler on the PATH nor the ziglang package."""
    cached = (toolchain_module._cross_gcc, toolchain_module._zig)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("MIDGE_TOOLCHAIN", raising=False)
    monkeypatch.setattr(toolchain_module.importlib.util, "find_spec", lambda name: None)
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


def small_board(folder: Path, flash_bytes: int, ram_bytes: int) -> str:
    """A Cortex-M4F with that little memory, as a board file of one's own."""
    text = (boards_dir() / "cortex-m4f.toml").read_text()
    for line in text.splitlines():
        for name, value in (("flash_bytes", flash_bytes), ("ram_bytes", ram_bytes)):
            text = text.replace(line, f"{name} = {value}") if line.startswith(f"{name} =") else text
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_the_figures_are_those_of_a_run(
    both: tuple[BoardFit, ...], imported: Imported, data: Dataset, tmp_path: Path
) -> None:
    report = run_model(compile_model(imported, replace(QUICK, board="cortex-m4f"), data), None, tmp_path, samples=1)
    found = both[0]
    assert found.fits
    assert found.flash_bytes == report.flash.total_bytes
    assert found.ram_bytes == report.ram.total_bytes
    assert found.instructions == report.instructions.total
    assert found.latency_us == report.latency_us
    assert "validated" in found.basis


def test_the_latency_of_another_board_with_the_core_is_scaled_by_its_clock(both: tuple[BoardFit, ...]) -> None:
    ample, nucleo = both
    assert ample.latency_us is not None
    assert nucleo.latency_us == pytest.approx(ample.latency_us * 100 / 120, abs=0.001)
    assert (ample.lower_bound, nucleo.lower_bound) == (False, True)
    assert "wait states" in nucleo.basis


def test_a_core_without_a_cycle_model_has_instructions_and_no_latency(imported: Imported, data: Dataset) -> None:
    (found,) = fit_boards(imported, QUICK, ["xtensa-lx106"], data)
    assert found.latency_us is None
    if found.instructions is None:
        pytest.skip(found.basis)
    assert found.instructions > 100_000
    assert "instr." in fits_text([found])


def test_the_goal_that_is_advised_makes_it_fit(imported: Imported, data: Dataset, tmp_path: Path) -> None:
    board = small_board(tmp_path, 13_000, 65_536)
    (found,) = fit_boards(imported, QUICK, [board], data)
    assert not found.fits
    assert found.advice.startswith("--optimize ")
    goal = found.advice.split()[1].rstrip(":")
    assert goal in ("balanced", "size")
    image = build_firmware(
        compile_model(imported, replace(QUICK, board=board, optimize=goal), data), tmp_path / "advised"
    )  # type: ignore[arg-type]
    assert image.flash.total_bytes <= 13_000
    with pytest.raises(DoesNotFitError):
        build_firmware(compile_model(imported, replace(QUICK, board=board), data), tmp_path / "as-it-was")


def test_a_board_far_too_small_is_told_how_much_is_too_much(imported: Imported, data: Dataset, tmp_path: Path) -> None:
    (found,) = fit_boards(imported, QUICK, [small_board(tmp_path, 10_000, 2_500)], data)
    assert not found.fits
    assert "bytes of flash too many: prune" in found.advice
    assert "bytes of RAM too many" in found.advice
    assert "no" in fits_text([found])
    narrow = fits_text([found], 40)
    assert f"{found.board.name}: does not fit" in narrow
    assert f"{found.flash_bytes:,} B flash" in narrow


def test_without_a_compiler_sizes_are_estimates_that_say_so(
    imported: Imported, data: Dataset, bare_computer: None
) -> None:
    (found,) = fit_boards(imported, QUICK, ["xtensa-lx106"], data)
    program = compile_model(imported, replace(QUICK, board="xtensa-lx106"), data).program
    assert found.sizes.startswith("estimated: there is no compiler for xtensa-lx106")
    assert found.flash_bytes > program.constant_bytes
    assert found.ram_bytes > program.arena_bytes
    assert (found.fits, found.latency_us, found.instructions) == (True, None, None)
    assert "estimated" in fits_text([found])


def test_the_table_keeps_to_80_columns(both: tuple[BoardFit, ...]) -> None:
    text = fits_text(both, width=80)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert ">=" in text
    assert load_board("nucleo_l4r5zi").name in text


def test_the_command_prints_one_object_with_all_boards(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["fit", str(MODEL), "--data", str(DATA), "--board", "cortex-m3", "--json"]
    monkeypatch.setattr("sys.argv", ["midge", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    (board,) = json.loads(capsys.readouterr().out)["boards"]
    assert {"name", "fits", "flash_bytes", "ram_bytes", "latency_us", "basis", "advice"} <= set(board)
    assert (board["name"], board["fits"], board["advice"]) == ("cortex-m3", True, None)
    assert board["latency_us"] > 0
