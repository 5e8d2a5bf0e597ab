"""Steps of compression as tables: what is read back is what was written, and what is refused is refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from midge.compress.steps import Cluster, Distil, Prune, Train
from midge.errors import SettingsError
from midge.settings import Settings, load_settings, settings_to_toml


def test_steps_are_read_back_from_the_file_that_they_were_written_to(tmp_path: Path) -> None:
    steps = (
        Prune(sparsity=0.75, granularity="1x4", criterion="activation", layers=("conv_1",)),
        Cluster(values=4),
        Distil(epochs=3, qat="int4", teacher="big.tflite", features=(("a", "b"),)),
        Train(),
    )
    path = tmp_path / "midge.toml"
    path.write_text(settings_to_toml(Settings(compress=steps)))
    assert load_settings(path).compress == steps


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"technique": "prun", "sparsity": 0.5}, "prun"),
        ({"technique": "prune"}, "sparsity"),
        ({"technique": "prune", "sparsity": 1.5}, "<"),
        ({"technique": "prune", "sparsity": 0.5, "granularity": "4x4"}, "4x4"),
        ({"technique": "cluster", "valeus": 3}, "valeus"),
        ({"technique": "cluster", "values": 65}, "64"),
        ("prune", "prune"),
    ],
)
def test_a_step_that_is_not_allowed_is_refused(table: Any, says: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings(compress=[table])
    assert says in error.value.message + error.value.hint
