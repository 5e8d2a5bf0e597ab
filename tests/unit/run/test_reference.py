"""The live reference runtime: exact, and never able to take the host down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from midge.data import load_golden
from midge.errors import DataError, MidgeError, MissingExtraError, UnsupportedModelError
from midge.importers import import_model
from midge.run import reference
from midge.run.reference import Reference

Asset = Callable[[str], Path]


@pytest.mark.parametrize("name", ["tflm/hello_world_int8", "ops_synth/two_in_two_out_int8", "tinymaix/mnist_valid_f"])
def test_the_reference_gives_the_golden_outputs(asset: Asset, name: str) -> None:
    path = asset(f"models/{name}.tflite")
    cases = load_golden(asset(f"models/{name}.npz"), import_model(path).graph)[:5]
    with Reference(path) as live:
        for given, gave in cases:
            for found, golden in zip(live.run(given), gave, strict=True):
                np.testing.assert_array_equal(found, golden)


def test_every_tensor_can_be_had_by_the_name_that_the_graph_has_for_it(asset: Asset) -> None:
    path = asset("models/tinymaix/mnist_valid_q.tflite")
    graph = import_model(path).graph
    given, gave = load_golden(path.with_suffix(".npz"), graph)[0]
    with Reference(path.read_bytes()) as live:
        values = live.run_all(given)
    for op in graph.ops:
        for name in op.outputs:
            assert values[name].shape == graph.tensors[name].shape
    np.testing.assert_array_equal(values[graph.inputs[0]], given[0])
    np.testing.assert_array_equal(values[graph.outputs[0]], gave[0])


def test_inputs_that_do_not_suit_are_an_error_and_the_next_run_works(asset: Asset) -> None:
    with Reference(asset("models/tflm/hello_world_int8.tflite")) as live:
        for wrong in ([], [np.zeros((1, 2), np.int8)], [np.zeros((1, 1), np.float32)]):
            with pytest.raises(DataError, match="its inputs are int8"):
                live.run(wrong)
        assert live.run([np.zeros((1, 1), np.int8)])[0].shape == (1, 1)


def test_a_model_that_the_runtime_refuses_is_an_error(asset: Asset) -> None:
    with pytest.raises(UnsupportedModelError, match="refuses person_detect"):
        Reference(asset("models/tflm/person_detect_int8.tflite"))


def test_garbage_is_an_error() -> None:
    for content in (b"", b"nothing", b"\x1c\0\0\0TFL3" + bytes(100)):
        with pytest.raises(UnsupportedModelError):
            Reference(content)


def test_damaged_models_kill_the_runtime_at_worst(asset: Asset) -> None:
    from property.corruption import cases

    for case in cases([asset("models/tflm/hello_world_int8.tflite")], range(12)):
        try:
            with Reference(case.data, timeout_seconds=20) as live:
                live.run([np.zeros((1, 1), np.int8)])
        except MidgeError as error:
            assert error.hint


def test_a_runtime_that_does_not_end_is_stopped(asset: Asset, monkeypatch: pytest.MonkeyPatch) -> None:
    live = Reference(asset("models/tflm/hello_world_int8.tflite"))
    monkeypatch.setattr(live, "_timeout", 0.0)
    monkeypatch.setattr(reference, "write_message", lambda *_: None)
    with pytest.raises(UnsupportedModelError, match="did not end within 0 s"):
        live.run([np.zeros((1, 1), np.int8)])
    live.close()
    live.close()


def test_a_missing_runtime_names_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "PACKAGES", ("no_such_runtime",))
    with pytest.raises(MissingExtraError) as caught:
        Reference(b"")
    assert "pip install" in caught.value.hint


def test_the_process_finds_its_package_from_any_folder(
    asset: Asset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    with Reference(asset("models/tflm/hello_world_int8.tflite")) as live:
        assert len(live.run([np.zeros((1, 1), np.int8)])) == 1
