"""A runner that none of midge wrote drives emulated boards by MLPerf Tiny's protocol: the accuracy is right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import serial

from emulate_process import emulate
from midge.cli import main
from mlperf_runner import Runner

KWS = "models/mlperf_tiny/kws_dscnn_int8.tflite"
SCALE, ZERO_POINT = 1 / 256, -128  # of the network's softmax


@pytest.mark.parametrize(
    ("board", "way", "samples"),
    [("nano33ble", ("--pty",), 12), ("esp32-c3-devkitm-1", ("--tcp", 0), 2), ("cortex-m55", ("--tcp", 0), 2)],
)
def test_the_keyword_network_has_its_accuracy(
    board: str, way: tuple[object, ...], samples: int, asset: Callable[[str], Path]
) -> None:
    with np.load(asset("data/kws_mfcc.npz")) as data:
        x, labels, reference = data["x"][:samples], data["y"][:samples], data["out_int8_ref"][:samples]
    arguments = ("--precision", "as-is", "--protocol", "mlperf-tiny", *way)
    with emulate(asset(KWS), board, *arguments) as (port, _), serial.serial_for_url(port, baudrate=115200) as line:
        runner = Runner(line, seconds=60)
        assert runner.meet() == "midge"
        assert runner.ask("profile")[1] == "m-model-[kws01]"
        right = 0
        for sample, label, expected in zip(x, labels, reference, strict=True):
            runner.load(sample.tobytes())
            results, _ = runner.infer(1, 0)
            real = (expected.astype(np.float64) - ZERO_POINT) * SCALE
            assert results == pytest.approx(real.tolist(), abs=0.00051)
            right += int(np.argmax(results)) == int(label)
        assert right == int((reference.argmax(axis=1) == labels).sum())
        _, one = runner.infer(2, 1)
        _, again = runner.infer(4, 0)
        assert 0 < one == pytest.approx(again, rel=0.01)


def test_midge_does_not_measure_through_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model = Path(__file__).parents[2] / "examples" / "digits" / "digits.tflite"
    (tmp_path / "midge.toml").write_text('protocol = "mlperf-tiny"\nprecision = "as-is"\n')
    command = ["run", str(model), "--emulate", "--settings", str(tmp_path / "midge.toml")]
    monkeypatch.setattr("sys.argv", ["midge", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "cannot measure through a firmware that speaks mlperf-tiny" in capsys.readouterr().err
