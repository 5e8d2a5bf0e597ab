"""The commands as a user meets them: exit codes, what goes to stdout, and errors that say what to do."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

import midge.cli as midge_cli
from midge.cli import main
from midge.report.record import read_report

ROOT = Path(__file__).resolve().parents[3]
MODEL = ROOT / "examples" / "digits" / "digits.tflite"
DATA = ROOT / "examples" / "digits" / "digits.npz"
BOARD = "nucleo_l4r5zi"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


Midge = Callable[..., Done]


@pytest.fixture
def midge(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> Midge:
    """Runs one command in this process; one that calibrates does so on a few samples, where it is told no settings."""
    few = tmp_path_factory.mktemp("settings") / "midge.toml"
    few.write_text("calibration_samples = 20\n")

    def run(*arguments: object) -> Done:
        if arguments[0] in ("run", "compile") and DATA in arguments and "--settings" not in arguments:
            arguments += ("--settings", few)
        monkeypatch.setattr("sys.argv", ["midge", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Done(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="module")
def report_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of the digits example, made once."""
    from midge import Settings, compile_model, import_model, load_data, run_model, to_json

    imported = import_model(MODEL)
    data = load_data(DATA, imported.graph)
    folder = tmp_path_factory.mktemp("report")
    report = run_model(
        compile_model(imported, Settings(board=BOARD, calibration_samples=20), data), data, folder, samples=3
    )
    path = folder / "report.json"
    path.write_text(to_json(report))
    return path


def test_every_command_has_help(midge: Midge) -> None:
    names = re.findall(r"^  (\w+)  ", midge("--help").out.split("--help")[1], re.MULTILINE)
    modules = Path(midge_cli.__file__).parent.glob("[a-z]*.py")
    assert sorted(names) == sorted(m.stem for m in modules if "@click.command(" in m.read_text())
    assert {"compile", "run", "verify"} <= set(names)
    for name in names:
        done = midge(name, "--help")
        assert done.code == 0
        assert "Usage: midge" in done.out


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in (
        "boards",
        "compare",
        "compile",
        "doctor",
        "emulate",
        "fit",
        "inspect",
        "monitor",
        "report",
        "run",
        "tune",
        "verify",
    ):
        assert f"midge {name}" in readme


def test_inspect_gives_facts_as_json(midge: Midge) -> None:
    facts = json.loads(midge("inspect", MODEL, "--json").out)
    assert facts["model"]["macs"] == sum(layer["macs"] for layer in facts["layers"]) == 108_864
    assert facts["inputs"][0]["shape"] == [1, 8, 8, 1]


def test_inspect_prints_no_more_than_it_was_asked(midge: Midge) -> None:
    done = midge("inspect", MODEL)
    assert done.code == 0
    assert "108,864 MACs" in done.out
    assert "\x1b" not in done.out
    assert done.err == ""


def test_a_run_gives_a_report_that_fits_its_schema(midge: Midge, tmp_path: Path) -> None:
    keep = tmp_path / "kept"
    arguments = ("--board", BOARD, "--emulate", "--data", DATA, "--samples", 3, "--json", "--keep", keep)
    done = midge("run", MODEL, *arguments)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    jsonschema.validate(report, json.loads((ROOT / "docs" / "report.schema.json").read_text()))
    assert report["exact"]["mismatches"] == 0
    assert report["cycles"]["total"] >= sum(layer["cycles"] for layer in report["cycles"]["per_layer"]) > 0
    assert report["latency_is"] == "lower bound"
    elf = keep / "firmware.elf"
    assert elf.read_bytes()[:4] == b"\x7fELF"
    assert b"midge_digits_run" in elf.read_bytes()


def test_two_compilations_give_the_same_bytes(midge: Midge, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        assert midge("compile", MODEL, "--board", BOARD, "--data", DATA, "-o", tmp_path / folder).code == 0
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert {"model.h", "model.c", "weights.c"} <= set(files)
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_float_model_without_data_is_told_what_to_do(midge: Midge, tmp_path: Path) -> None:
    done = midge("compile", MODEL, "--board", BOARD, "-o", tmp_path / "out")
    assert done.code == 1
    assert "--data" in done.err
    assert not (tmp_path / "out").exists()


def test_float_is_deployed_when_asked(midge: Midge) -> None:
    done = midge("run", MODEL, "--board", BOARD, "--emulate", "--precision", "float", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["precision"] == "float"
    assert report["exact"]["mismatches"] == 0


def test_float_ports_around_an_integer_network_compute_the_same(midge: Midge) -> None:
    arguments = ("--board", BOARD, "--emulate", "--data", DATA, "--samples", 5, "--json")
    plain, ported = (json.loads(midge("run", MODEL, *arguments, *extra).out) for extra in ((), ("--float-io",)))
    assert ported["exact"]["mismatches"] == 0
    assert ported["accuracy"]["device"] == plain["accuracy"]["device"]


@pytest.mark.parametrize("place", ["interpreter", "emulator"])
def test_verify_without_goldens_asks_the_reference_kernels(midge: Midge, place: str) -> None:
    done = midge("verify", MODEL, "--on", place, "--samples", 3, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (found["samples"], found["mismatches"]) == (3, 0)
    assert found["against"] == "TensorFlow Lite reference kernels"


def test_verify_names_the_first_layer_that_differs(
    midge: Midge, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import numpy as np

    from midge.data import draw_inputs
    from midge.importers import import_model
    from midge.interpreter import interpret
    from midge.ops.max_pool2d import MaxPool2D

    graph = import_model(MODEL).graph
    inputs = draw_inputs(graph, 2, 1)
    outputs = [interpret(graph, sample)[0] for sample in inputs]
    golden = tmp_path / "golden.npz"
    np.savez(golden, rand_in0=np.stack([s[0] for s in inputs]), rand_out0=np.stack(outputs))
    honest = MaxPool2D.evaluate
    monkeypatch.setattr(MaxPool2D, "evaluate", lambda self, *a: [value + 1 for value in honest(self, *a)])
    done = midge("verify", MODEL, "--golden", golden)
    assert done.code == 4
    assert "the first layer that differs is pool" in done.err


def test_compare_passes_equal_reports_and_fails_slower_ones(midge: Midge, report_file: Path, tmp_path: Path) -> None:
    assert midge("compare", report_file, report_file, "--fail-over", "cycles=5%,flash=2%,accuracy=0.5").code == 0
    slower = json.loads(report_file.read_text())
    slower["cycles"]["total"] = round(slower["cycles"]["total"] * 1.06)
    path = tmp_path / "slower.json"
    path.write_text(json.dumps(slower))
    done = midge("compare", report_file, path, "--fail-over", "cycles=5%")
    assert done.code == 4
    assert "cycles" in done.err
    assert midge("compare", report_file, path, "--fail-over", "cycles=7%").code == 0


def test_reports_and_folders_of_them_become_a_page(midge: Midge, report_file: Path, tmp_path: Path) -> None:
    page = tmp_path / "shelf" / "page.html"
    done = midge("report", report_file, report_file.parent, "-o", page)
    assert done.code == 0
    assert "2 reports" in done.err
    assert "head_relu" in page.read_text()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no .json" in midge("report", empty, "-o", page).err
    assert midge("report", report_file, "-o", tmp_path).code == 1


def test_a_report_shows_where_the_planner_put_each_buffer(report_file: Path) -> None:
    report = read_report(report_file)
    assert report.arena is not None
    assert report.ram is not None
    assert max(b.offset + b.bytes for b in report.arena) == report.ram.arena_bytes
    names = {layer.name for layer in report.cycles.per_layer}
    assert sum(b.name.startswith("input ") for b in report.arena) == 1
    assert all(b.last < len(names) for b in report.arena)
    # Every layer has its output in some buffer that is alive then.
    for step, layer in enumerate(report.cycles.per_layer):
        assert any(b.name == layer.name and b.first <= step <= b.last for b in report.arena), layer.name


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("inspect", "nothing.tflite"), 1, "there is no file"),
        (("inspect", DATA), 1, "no model that midge reads"),
        (("inspect",), 2, "Missing argument"),
        (("nonsense",), 2, "No such command"),
        (("rnu",), 2, "Did you mean 'midge run'?"),
        (("run", MODEL, "--board", "nowhere", "--emulate"), 1, "there is no board 'nowhere'"),
        (("run", MODEL, "--board", "arduino_uno", "--emulate"), 1, "try: uno"),
        (("run", MODEL, "--board", "mine.toml", "--emulate"), 1, "there is no board file mine.toml"),
        (("run", MODEL, "--board", BOARD), 1, "--emulate"),
        (("run", MODEL, "--board", BOARD, "--emulate", "--data", MODEL), 1, "digits.tflite"),
        (("run", MODEL, "--board", BOARD, "--emulate", "--data", DATA, "--kernel", "conv2d=magic"), 1, "magic"),
        (("compile", MODEL, "--board", BOARD, "-o", MODEL, "--data", DATA), 1, "cannot be written"),
        (("compare", MODEL, MODEL), 1, "is not JSON"),
        (("compare", "a.json", "b.json", "--fail-over", "speed=5%"), 1, "speed"),
    ],
)
def test_mistakes_are_told_in_words(midge: Midge, arguments: tuple[object, ...], code: int, words: str) -> None:
    done = midge(*arguments)
    assert done.code == code
    assert words in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


def test_boards_are_listed_with_their_memories(midge: Midge) -> None:
    boards = {b["name"]: b for b in json.loads(midge("boards", "--json").out)["boards"]}
    assert boards[BOARD] == {
        "name": BOARD,
        "core": "cortex-m4f",
        "clock_hz": 120_000_000,
        "flash_bytes": 2 * 1024 * 1024,
        "ram_bytes": 640 * 1024,
    }


def test_what_tuning_counts_is_said(midge: Midge) -> None:
    mlp = MODEL.with_name("digits_mlp.tflite")
    facts = json.loads(midge("tune", mlp, "--board", "cortex-m4f", "--json").out)
    assert (facts["core"], facts["counts"]) == ("cortex-m4f", "modelled cycles")
    assert facts["compiler"]
    assert facts["layers"]


def test_names_of_boards_are_whole_on_a_narrow_terminal(midge: Midge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("midge.cli.boards.out", lambda: Console(width=40, highlight=False))
    assert "esp32-s3-devkitc-1\n" in midge("boards").out


def test_doctor_names_compilers_and_packages(midge: Midge) -> None:
    checks = {c["name"]: c for c in json.loads(midge("doctor", "--json").out)["checks"]}
    assert checks["unicorn"]["found"]
    assert checks["compiler for cortex-m4f"]["found"]


def test_brackets_and_colons_in_what_is_printed_are_not_markup(midge: Midge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("midge.cli.doctor._version", lambda _: None)
    assert 'pip install "midge[keras]"' in midge("doctor").out
    assert "there is no file [bold]:dog:.tflite" in midge("inspect", "[bold]:dog:.tflite").err


def test_fit_says_that_it_looks_at_all_boards(midge: Midge) -> None:
    assert "[default: all]" in re.sub(r"\s+", " ", midge("fit", "--help").out)


def test_a_damaged_model_is_named_by_its_file(midge: Midge, tmp_path: Path) -> None:
    path = tmp_path / "half.tflite"
    path.write_bytes(MODEL.read_bytes()[:5000])
    assert f"midge: {path} is damaged" in midge("inspect", path).err


def test_settings_come_from_a_file_and_flags_come_before_it(midge: Midge, tmp_path: Path) -> None:
    settings = tmp_path / "midge.toml"
    settings.write_text(f'board = "{BOARD}"\nprecision = "float"\n')
    done = midge("compile", MODEL, "--settings", settings, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert "float" in (tmp_path / "out" / "weights.h").read_text()
    done = midge("compile", MODEL, "--settings", settings, "--precision", "int8", "-o", tmp_path / "other")
    assert done.code == 1
    assert "--data" in done.err
    settings.write_text("boards = 3\n")
    done = midge("compile", MODEL, "--settings", settings, "-o", tmp_path / "out")
    assert done.code == 1
    assert "boards is not a setting" in done.err


def test_what_cannot_be_done_is_told_in_one_message_and_leaves_nothing_behind(midge: Midge, tmp_path: Path) -> None:
    """Three operators that midge does not have, in five places."""
    from unit.importers.onnx_file import node, onnx_file

    codes = ("NonMaxSuppression", "Einsum", "Unique", "Einsum", "Unique")
    nodes = [node(code, ["x" if i == 0 else f"t{i - 1}"], [f"t{i}"], name=f"layer{i}") for i, code in enumerate(codes)]
    (tmp_path / "net.onnx").write_bytes(onnx_file(nodes, {"x": [1, 4]}, ["t4"]))
    done = midge("compile", tmp_path / "net.onnx", "--board", BOARD, "-o", tmp_path / "out")
    assert done.code == 1
    assert "in 5 places" in done.err
    assert all(f"layer{i}" in done.err for i in range(5))
    assert done.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_a_search_that_cannot_begin_leaves_no_folder_behind(midge: Midge, tmp_path: Path) -> None:
    done = midge("search", tmp_path / "missing.tflite", "--data", DATA, "-o", tmp_path / "out")
    assert done.code == 1
    assert list(tmp_path.iterdir()) == []


def test_the_shape_that_a_file_leaves_open_is_a_flag(midge: Midge, tmp_path: Path) -> None:
    from unit.importers.onnx_file import node, onnx_file

    path = tmp_path / "net.onnx"
    path.write_bytes(onnx_file([node("Relu", ["x"], ["y"])], {"x": [1, "L", 3]}, ["y"]))
    assert "--input-shape" in midge("inspect", path).err
    done = midge("inspect", path, "--json", "--input-shape", "x=1x7x3")
    assert json.loads(done.out)["inputs"][0]["shape"] == [1, 7, 3]
    assert "not of the form" in midge("inspect", path, "--input-shape", "x=1xL").err
    assert midge("compile", MODEL, "--input-shape", "x=1", "-o", tmp_path / "out").code == 1


def test_the_example_is_built_by_the_compiler_that_pip_brings(midge: Midge, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make demo` where there is no other compiler: clang warns of what gcc does not, and a warning is an error."""
    monkeypatch.setenv("MIDGE_TOOLCHAIN", "zig")
    done = midge("run", MODEL, "--emulate", "--data", DATA, "--samples", 1, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["toolchain"]["compiler"] == "zig"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("quantize", MODEL, "--data", DATA, "-o", "."), "it is a folder"),
        (("quantize", MODEL, "--data", DATA, "-o", MODEL / "x.tflite"), "is a file"),
        (("prune", MODEL, "--sparsity", "0.5", "-o", "/dev/null"), "it is no regular file"),
        (("run", MODEL, "--emulate", "--data", DATA, "--keep", MODEL), "is a file"),
        (("search", MODEL, "--data", DATA, "-o", MODEL), "is a file"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(
    midge: Midge, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...], words: str
) -> None:
    monkeypatch.setattr("midge.importers.read_model_file", lambda path: pytest.fail("it has begun to work"))
    done = midge(*arguments)
    assert done.code == 1
    assert "cannot be written" in done.err
    assert words in done.err


def test_a_full_disk_leaves_no_part_of_what_was_to_be_kept(midge: Midge, tmp_path: Path) -> None:
    from midge.cli.files import copy_folder
    from midge.errors import SettingsError

    (tmp_path / "made" / "sub").mkdir(parents=True)
    (tmp_path / "made" / "a.c").write_text("int a;\n")
    (tmp_path / "made" / "sub" / "b.c").symlink_to("nowhere")  # cannot be copied
    with pytest.raises(SettingsError, match=r"cannot be written: .*No such file"):
        copy_folder(tmp_path / "made", tmp_path / "kept", lambda folder, names: ())
    assert list((tmp_path / "kept").iterdir()) == []


def test_the_command_that_a_search_ends_with_can_be_pasted() -> None:
    from math import inf

    from midge import Settings
    from midge.cli.budgeting import Wanted, command_for
    from midge.tune.proposals import Budgets

    budgets = Budgets(inf, inf, inf, 1.0)
    paths = (Path("my model.onnx"), {"x": (1, 7)}, Path("d.npz"))
    wanted = Wanted(*paths, Settings(), budgets, None, Path("out"), False)
    arguments = shlex.split(command_for(wanted, Path("out/midge.toml")))
    assert arguments[:3] == ["midge", "run", "my model.onnx"]
    assert {"--input-shape=x=1x7", "d.npz", "out/midge.toml", "--emulate"} <= set(arguments)
